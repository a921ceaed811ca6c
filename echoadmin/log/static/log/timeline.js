// A conversation's timeline: rows open in place.

import { copyOnClick } from "./copying.js";
import { openInPlace } from "./opening.js";

const list = document.getElementById("timeline");
openInPlace(list);
copyOnClick(list);
