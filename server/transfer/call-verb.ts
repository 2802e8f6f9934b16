/** Runs one of the administrator's verbs by its name, in a running server or in this process. Rejects with a sentence for people. */
export type CallVerb = (name: string, parameters: Readonly<Record<string, unknown>>) => Promise<unknown>;
