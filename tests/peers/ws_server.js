// A server with npm's ws: see exchanges.py for what it does. Prints where it
// listens, and then what it has seen of each connection that is over, as JSON.
"use strict";

const { WebSocketServer } = require("ws");

const print = (value) => console.log(JSON.stringify(value));

const commands = {
  "/close": (websocket, code, ...reason) =>
    websocket.close(Number(code), reason.join(" ")),
  "/ping": (websocket, ...payload) => websocket.ping(payload.join(" ")),
  "/fragments": (websocket, ...words) => {
    for (const word of words) websocket.send(`${word} `, { fin: false });
    websocket.send("", { fin: true });
  },
};

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: { threshold: 0, ...JSON.parse(process.argv[2] || "{}") },
  handleProtocols: (offered) =>
    ["chat", "superchat"].find((name) => offered.has(name)) || false,
});

server.on("listening", () => print(server.address()));

server.on("connection", (websocket, { url }) => {
  websocket.on("message", (data, isBinary) => {
    const [name, ...words] = isBinary ? [] : data.toString().split(" ");
    if (name in commands) commands[name](websocket, ...words);
    else websocket.send(data, { binary: isBinary });
  });
  websocket.on("pong", (data) => {
    if (data.length) websocket.send(`pong ${data}`);
  });
  websocket.on("error", (error) => print({ error: error.message }));
  websocket.on("close", (code, reason) => {
    const { protocol, extensions } = websocket;
    print({
      url,
      code,
      reason: reason.toString(),
      subprotocol: protocol || null,
      extensions: extensions ? extensions.split(",") : [],
    });
  });
});
