// The daemon's face: JSON over HTTP on the loopback interface.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Store } from "./store.js";

/** Serves the store on a free port and says so, once. */
export async function serve(store: Store): Promise<Server> {
  const server = createServer((request, response) => void answer(store, request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  console.log(`READY:${(server.address() as AddressInfo).port}`);
  return server;
}

/** GET gives everything; POST {id, title} adds a note. */
async function answer(store: Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    if (request.method === "POST") {
      const { id, title } = JSON.parse((await request.toArray()).join("")) as { id: string; title: string };
      await store.add(id, title);
      send(201, { id, title });
    } else {
      send(200, await store.all());
    }
  } catch (error) {
    send(500, { error: String(error) });
  }
}
