// A conversation's page: one bus, and the parts that listen to it. Each part is a module with start(bus, root).

import { Bus } from "./bus.js";
import * as composer from "./composer.js";
import * as echoes from "./echoes.js";
import * as floor from "./floor.js";
import * as interactions from "./interactions.js";
import * as latencies from "./latencies.js";
import * as lines from "./lines.js";
import * as link from "./link.js";
import * as mic from "./mic.js";
import * as queue from "./queue.js";
import * as ready from "./ready.js";
import * as script from "./script.js";
import * as stage from "./stage.js";
import * as standing from "./standing.js";
import * as transcript from "./transcript/transcript.js";
import * as ways from "./ways.js";

const PARTS = [
  standing,
  stage,
  transcript,
  echoes,
  queue,
  latencies,
  ready,
  floor,
  composer,
  ways,
  lines,
  mic,
  script,
  interactions,
  link, // the last: it tells what all the others wait for
];

const root = document.getElementById("conversation");
const bus = new Bus();
for (const part of PARTS) {
  try {
    part.start(bus, root);
  } catch (error) {
    reportError(error); // one part that breaks takes no other with it
  }
}
