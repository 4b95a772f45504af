// The files that a person dropped or picked.

/** A file, with its path in the folder. */
export interface Given {
  path: string;
  file: File;
}

/**
 * Files. `folder` is the name of the folder if there is one. `beside` are the files that came with
 * it. `left`: whether files below were left out, because there are too many or they are too deep.
 */
export interface Found {
  files: Given[];
  folder: string | null;
  beside: Given[];
  left: boolean;
}

/** The most files that are looked at, and the deepest folder below the one that was given. */
const MOST_FILES = 2000;
const DEEPEST = 6;

/** Files without a folder. */
export const loose = (files: Iterable<File>): Found => ({
  files: [...files].map((file) => ({ path: file.name, file })),
  folder: null,
  beside: [],
  left: false,
});

/** What a person dropped. The browser clears it after the event, so this reads it at once. */
export function dropped(data: DataTransfer): () => Promise<Found & { text: string }> {
  const text = data.getData("text/plain");
  const files = [...data.files];
  const entries = [...data.items]
    .map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null))
    .filter((entry) => entry !== null);
  return async () => {
    if (entries.length === 0) return { ...loose(files), text };
    const folders = entries.filter((entry) => entry.isDirectory) as FileSystemDirectoryEntry[];
    const plain = await Promise.all(
      entries.filter((entry) => entry.isFile).map((entry) => open(entry as FileSystemFileEntry)),
    );
    if (folders.length === 0) return { ...loose(plain), text };
    const walk = new Walk();
    const [only] = folders;
    for (const folder of folders)
      await walk.into(folder, folders.length > 1 ? `${folder.name}/` : "", 0);
    return {
      files: walk.files,
      folder: folders.length === 1 && only ? only.name : `${folders.length} folders`,
      beside: loose(plain).files,
      left: walk.left,
      text,
    };
  };
}

const open = (entry: FileSystemFileEntry) =>
  new Promise<File>((resolve, reject) => entry.file(resolve, reject));

class Walk {
  readonly files: Given[] = [];
  left = false;

  async into(directory: FileSystemDirectoryEntry, path: string, depth: number): Promise<void> {
    const reader = directory.createReader();
    const below: FileSystemDirectoryEntry[] = [];
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) break;
      for (const entry of some) {
        if (entry.isDirectory) below.push(entry as FileSystemDirectoryEntry);
        else if (this.files.length < MOST_FILES)
          this.files.push({
            path: path + entry.name,
            file: await open(entry as FileSystemFileEntry),
          });
        else this.left = true;
      }
    }
    for (const folder of below)
      if (depth < DEEPEST && this.files.length < MOST_FILES)
        await this.into(folder, `${path}${folder.name}/`, depth + 1);
      else this.left = true;
  }
}

/** The files of the picked folder, with those below it, and its name. */
export function picked(files: FileList): Found {
  const all = [...files].map((file) => ({
    path: file.webkitRelativePath.split("/").slice(1).join("/"),
    file,
  }));
  const near = all.filter(({ path }) => path.split("/").length <= DEEPEST + 1);
  return {
    files: near.slice(0, MOST_FILES),
    folder: files[0]?.webkitRelativePath.split("/")[0] ?? "",
    beside: [],
    left: near.length < all.length || near.length > MOST_FILES,
  };
}
