// The server of the daemon: JSON over HTTP on the loopback interface, and the page that shows what
// the last start did.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "./page.js";
import type { Store } from "./store.js";

/** Serves the store, and the page if there is one, on a free port, and prints the address. */
export async function serve(store: Store, page: Page | null = null): Promise<Server> {
  const server = createServer((request, response) => void answer(store, page, request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  console.log(`READY:${port}`);
  if (page)
    console.log(
      `See in a browser what this start did and where the data is, while the daemon runs: http://127.0.0.1:${port}${page.path}`,
    );
  return server;
}

/**
 * Only a request to the loopback address itself is served: any site may point its own name at that
 * address.
 */
function isOurs({ headers, socket }: IncomingMessage): boolean {
  return ["127.0.0.1", "localhost"].some((host) => headers.host === `${host}:${socket.localPort}`);
}

/** GET / returns every note; POST / {id, title} adds a note. Any other path belongs to the page. */
async function answer(
  store: Store,
  page: Page | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    const [path = ""] = (request.url ?? "").split("?");
    if (!isOurs(request)) {
      send(421, { error: "this is the daemon of 127.0.0.1" });
    } else if (path !== "/") {
      const file = request.method === "GET" ? page?.file(path) : null;
      if (file)
        response.writeHead(200, { "content-type": file.type, ...PAGE_HEADERS }).end(file.body);
      else send(404, { error: "there is nothing here" });
    } else if (request.method === "POST") {
      const { id, title } = JSON.parse((await request.toArray()).join("")) as {
        id: string;
        title: string;
      };
      await store.add(id, title);
      send(201, { id, title });
    } else {
      send(200, await store.all());
    }
  } catch (error) {
    send(500, { error: String(error) });
  }
}

/** The headers that the page cannot set itself. Its address is a secret, so no referrer is sent. */
const PAGE_HEADERS = {
  "content-security-policy": "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
