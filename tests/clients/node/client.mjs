// Runs a graph with comfy-ui-client: node client.mjs HOST:PORT GRAPH.json FOLDER
import { readFile } from "node:fs/promises";
import { ComfyUIClient } from "comfy-ui-client";

const [host, graph, folder] = process.argv.slice(2);
const client = new ComfyUIClient(host, "comfy-ui-client-test");
await client.connect();
const images = await client.getImages(JSON.parse(await readFile(graph, "utf8")));
await client.saveImages(images, folder);
const stats = await client.getSystemStats();
await client.disconnect();
console.log(JSON.stringify({ nodes: Object.keys(images), devices: stats.devices.length }));
