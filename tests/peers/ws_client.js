// Clients with npm's ws: for each line that comes in, does one exchange of
// exchanges.py, and prints its result. Both lines are JSON; the one that comes in
// has the URI, the options of permessage-deflate, the name of the exchange, and
// the arguments of the exchange.
"use strict";

const crypto = require("crypto");
const readline = require("readline");
const WebSocket = require("ws");

const TEXT = "Hello, wörld! 🌍";
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const LARGE = crypto.randomBytes(2 ** 20);
const REDUNDANT = "It can be said once, it can be said twice. ".repeat(2400);

const exchanges = {
  async text(websocket) {
    websocket.send(TEXT);
    return websocket.next();
  },
  async empty(websocket) {
    websocket.send("");
    return websocket.next();
  },
  async binary(websocket) {
    websocket.send(BINARY);
    return (await websocket.next()).toString("hex");
  },
  async large(websocket) {
    websocket.send(LARGE);
    const message = await websocket.next();
    return [message.length, LARGE.equals(message)];
  },
  async compressed(websocket) {
    websocket.send(REDUNDANT);
    websocket.send(REDUNDANT);
    const same = [await websocket.next(), await websocket.next()].every((each) => each === REDUNDANT);
    return [websocket.extensions.startsWith("permessage-deflate"), same];
  },
  async fragments_from_us(websocket) {
    websocket.send("/fragments one two three");
    return websocket.next();
  },
  async fragments_from_peer(websocket) {
    websocket.send("one ", { fin: false });
    websocket.send("two ", { fin: false });
    websocket.send("three", { fin: true });
    return websocket.next();
  },
  async ping_from_us(websocket) {
    websocket.send("/ping are you there?");
    return websocket.next();
  },
  async ping_from_peer(websocket) {
    websocket.on("pong", (data) => websocket.happened(data.toString()));
    websocket.ping("are you there?");
    return websocket.next();
  },
  async subprotocol(websocket) {
    return websocket.protocol;
  },
  async close_from_peer(websocket, code, reason) {
    if (code) websocket.close(Number(code), reason);
    else websocket.close();
    return websocket.next();
  },
  async close_from_us(websocket, command) {
    websocket.send(command);
    return websocket.next();
  },
};

// A client to which things happen, in order: messages, the close, the end.
class Client extends WebSocket {
  events = [];
  wake = null;

  constructor(...args) {
    super(...args);
    this.on("message", (data, isBinary) =>
      this.happened(isBinary ? data : data.toString()));
    this.on("close", (code, reason) => this.happened([code, reason.toString()]));
  }

  happened(event) {
    if (this.wake) this.wake(event);
    else this.events.push(event);
    this.wake = null;
  }

  async next() {
    if (this.events.length) return this.events.shift();
    return new Promise((resolve) => { this.wake = resolve; });
  }
}

async function run([uri, deflate, name, ...args]) {
  const protocols = name === "subprotocol" ? ["soap", "chat"] : [];
  const perMessageDeflate = { threshold: 0, ...deflate };
  const websocket = new Client(uri, protocols, { perMessageDeflate });
  await new Promise((resolve, reject) => {
    websocket.on("open", resolve);
    websocket.on("error", reject);
  });
  const result = await exchanges[name](websocket, ...args);
  websocket.close(1000);
  return result;
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const result = await run(JSON.parse(line)).catch((error) => String(error));
  console.log(JSON.stringify(result));
});
