// The files that a person dropped or picked.

/**
 * Files. `folder` is the name of the folder if they are all its files. `below` counts the files and
 * folders deeper in it, which the page leaves out.
 */
export interface Found {
  files: File[];
  folder: string | null;
  below: number;
}

/** What a person dropped. The browser clears it after the event, so this reads it at once. */
export function dropped(data: DataTransfer): () => Promise<Found & { text: string }> {
  const text = data.getData("text/plain");
  const files = [...data.files];
  const entries = [...data.items]
    .map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null))
    .filter((entry) => entry !== null);
  const [only] = entries;
  return async () => {
    if (only?.isDirectory && entries.length === 1)
      return { ...(await inside(only as FileSystemDirectoryEntry)), text: "" };
    // Several items may or may not be a whole folder. A folder among them is not a file.
    const plain =
      entries.length === 0
        ? files
        : await Promise.all(
            entries
              .filter((entry) => entry.isFile)
              .map((entry) => open(entry as FileSystemFileEntry)),
          );
    return { files: plain, folder: null, below: 0, text };
  };
}

const open = (entry: FileSystemFileEntry) =>
  new Promise<File>((resolve, reject) => entry.file(resolve, reject));

/** The files of a directory, without its subdirectories. */
async function inside(directory: FileSystemDirectoryEntry): Promise<Found> {
  const reader = directory.createReader();
  const files: File[] = [];
  let below = 0;
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return { files, folder: directory.name, below };
    below += some.filter((entry) => entry.isDirectory).length;
    files.push(
      ...(await Promise.all(
        some.filter((entry) => entry.isFile).map((entry) => open(entry as FileSystemFileEntry)),
      )),
    );
  }
}

/** The files of the picked folder, without its subfolders, and its name. */
export function picked(files: FileList): Found {
  const direct = [...files].filter((file) => file.webkitRelativePath.split("/").length === 2);
  return {
    files: direct,
    below: files.length - direct.length,
    folder: files[0]?.webkitRelativePath.split("/")[0] ?? "",
  };
}
