// One entry's own page.

import { copyOnClick } from "./copying.js";

copyOnClick(document.getElementById("entry"));
