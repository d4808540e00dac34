// Receives Firstbell's webhooks: verifies, keeps each message once, and only then answers.
//
//     WEBHOOK_SECRET=whsec_… node receiver.mjs [PORT] [FILE]
//
// WEBHOOK_SECRET may be two secrets with a space between, while one takes the other's place. FILE gets
// a message a line. Put a proxy with TLS before it. Node 20 or later, nothing else.

import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const BODY_BYTES_MAX = 8_000_000;
const CLOCKS_APART_MAX_S = 300;

// Whether one of the signatures is by one of the secrets, over these very bytes, and recent.
export function isGenuine(headers, body, secrets, nowS) {
  const at = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(at) || Math.abs(nowS - Number(at)) > CLOCKS_APART_MAX_S) return false;
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${at}.`), body]);
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const ours = Buffer.from("v1," + createHmac("sha256", key).update(signed).digest("base64"));
    return given.some((one) => {
      const theirs = Buffer.from(one);
      return theirs.length === ours.length && timingSafeEqual(theirs, ours);
    });
  });
}

// Messages in a file, each once; what is in it is known again after a restart.
export class Messages {
  #ids = new Set();
  #numbers = new Set();
  #file;

  constructor(path) {
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    for (const line of lines.filter(Boolean)) this.#note(JSON.parse(line));
    this.#file = openSync(path, "a");
  }

  // Keep a message on disk; false: it is a repeat, and there already.
  keep(id, message) {
    if (this.#ids.has(id)) return false;
    const line = { id, ...message };
    writeSync(this.#file, JSON.stringify(line) + "\n");
    fsyncSync(this.#file);
    this.#note(line);
    return true;
  }

  // Which numbers have not come, of those up to the highest that has.
  missing() {
    const found = [];
    for (let n = 1; n < Math.max(0, ...this.#numbers); n++) if (!this.#numbers.has(n)) found.push(n);
    return found;
  }

  #note(line) {
    this.#ids.add(line.id);
    this.#numbers.add(line.sequence);
  }
}

async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const [port = "8080", file = "messages.ndjson"] = process.argv.slice(2);
const secrets = process.env.WEBHOOK_SECRET.split(" ");
const messages = new Messages(file);

const server = createServer(async (request, response) => {
  const body = await bodyOf(request);
  if (body === null) return response.writeHead(413).end();
  if (!isGenuine(request.headers, body, secrets, Date.now() / 1000)) {
    return response.writeHead(401).end();
  }
  const message = JSON.parse(body.toString("utf8"));
  if (messages.keep(request.headers["webhook-id"], message)) {
    // Slow work goes here, after the message is safe, and best not before the answer.
    console.log(message.type, "missing:", messages.missing());
    if (message.type === "endpoint.challenge") console.log("verify with:", message.data.challenge);
  }
  return response.writeHead(204).end();
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening on", server.address().port));
