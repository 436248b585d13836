// `npm run check`: lint, types, generated texts and unit tests, under a minute.
import { checkLanes } from "./proof/check-steps.ts";
import { conclude, prepare, runSteps } from "./proof/steps.ts";

prepare();
conclude(await runSteps(checkLanes()));
