// Runs a graph with @saintno/comfyui-sdk: node sdk.mjs URL GRAPH.json PICTURE.png
import { readFile, writeFile } from "node:fs/promises";
import { CallWrapper, ComfyApi, PromptBuilder } from "@saintno/comfyui-sdk";

const [url, graph, picture] = process.argv.slice(2);
// Its own limit, ten seconds without a word, gives a job up while a busy machine reads the model from a cold disk.
const api = await new ComfyApi(url, "sdk-test", { wsTimeout: 120_000 }).init().waitForReady();
const workflow = new PromptBuilder(JSON.parse(await readFile(graph, "utf8")), [], ["images"]).setOutputNode("images", "7");
const seen = { pending: 0, started: 0, progress: 0, nodes: await api.getNodeDefs().then((all) => Object.keys(all).length) };

const output = await new CallWrapper(api, workflow)
  .onPending(() => seen.pending++)
  .onStart(() => seen.started++)
  .onProgress(() => seen.progress++)
  .onFailed((error) => {
    console.error(error);
    process.exit(1);
  })
  .run();
if (!output) process.exit(1);
const blob = await api.getImage(output.images.images[0]);
await writeFile(picture, Buffer.from(await blob.arrayBuffer()));
console.log(JSON.stringify(seen));
process.exit(0);
