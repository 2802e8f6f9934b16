/** All administrative verbs: the one list from which routes, command line and help are made. */
import { appPasswordVerbs } from './app-password-verbs.ts';
import { directoryVerbs } from './directory-verbs.ts';
import { dkimVerbs } from './dkim-verbs.ts';
import { heldVerbs } from './held-verbs.ts';
import { maintenanceVerbs } from './maintenance-verbs.ts';
import { messageVerbs } from './message-verbs.ts';
import { outboxVerbs } from './outbox-verbs.ts';
import { ruleVerbs } from './rule-verbs.ts';
import { sendAsVerbs } from './send-as-verbs.ts';
import { senderVerbs } from './sender-verbs.ts';
import { shareVerbs } from './share-verbs.ts';
import { sieveVerbs } from './sieve-verbs.ts';
import { statusVerbs } from './status-verbs.ts';
import { suppressionVerbs } from './suppression-verbs.ts';
import { traceVerbs } from './trace-verbs.ts';
import type { Verb } from './verb.ts';

export const verbs: readonly Verb[] = [
  ...directoryVerbs,
  ...appPasswordVerbs,
  ...maintenanceVerbs,
  ...heldVerbs,
  ...outboxVerbs,
  ...suppressionVerbs,
  ...dkimVerbs,
  ...ruleVerbs,
  ...senderVerbs,
  ...sendAsVerbs,
  ...shareVerbs,
  ...sieveVerbs,
  ...statusVerbs,
  ...traceVerbs,
  ...messageVerbs,
];
