/**
 * The command line, made from the table of verbs: arguments and options follow from each verb's parameters.
 *
 * Exit codes: 0 done, 1 refused or found wrong, with a sentence on standard error, 2 wrong usage.
 */
import { Argument, Command, CommanderError, Option } from 'commander';
import { choicesOf, type ParameterHints, type Verb } from '../admin/verb.ts';
import { sentenceOfSystemError } from './system-error.ts';
import { addTransferCommands, type VerbSession } from './transfer-commands.ts';

export interface CommonOptions {
  /** --config FILE. */
  readonly config: string | undefined;
}

/** What the command line asks of the process. */
export interface CliPorts {
  readonly verbs: readonly Verb[];
  readonly version: string;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** All of standard input. */
  readonly readStdin: () => Promise<string>;
  /** Runs a verb, in a running server or in this process. */
  readonly runVerb: (verb: Verb, parameters: Record<string, unknown>, options: CommonOptions) => Promise<unknown>;
  /** For verbs that make many calls. */
  readonly openVerbs: (options: CommonOptions) => Promise<VerbSession>;
  /** Writes to a terminal that somebody watches; undefined where there is none. */
  readonly terminal: ((text: string) => void) | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Resolves when the server has stopped. */
  readonly serve: (options: CommonOptions & { readonly isDemo: boolean }) => Promise<void>;
  /** The configuration in effect without its secrets, or the schema. */
  readonly showConfig: (options: CommonOptions & { readonly isSchema: boolean }) => Promise<string>;
}

/** Runs one command line (without the program's own name). Resolves to the exit code. Errors of verbs are told on stderr. */
export async function runCommandLine(args: readonly string[], ports: CliPorts): Promise<number> {
  const outcome = { exitCode: 0 };
  const program = buildProgram(ports, outcome);
  try {
    await program.parseAsync(isForServe(args) ? ['serve', ...args] : [...args], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    // commander has said what is wrong with the usage, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    ports.stderr(`satchel: ${sentenceOfSystemError(error) ?? (error instanceof Error ? error.message : String(error))}\n`);
    return 1;
  }
}

/** No verb was given. commander's own default command would take a mistyped verb for an argument of `serve`. */
function isForServe(args: readonly string[]): boolean {
  const [first] = args;
  return first === undefined || (first.startsWith('-') && !['-h', '--help', '-V', '--version'].includes(first));
}

function buildProgram(ports: CliPorts, outcome: { exitCode: number }): Command {
  const program = prepare(new Command('satchel'), ports)
    .description('A mail service that lives in your own bucket.')
    .version(ports.version, '-V, --version', 'print the version')
    .addHelpText('after', '\nWithout a verb, `satchel` runs the server. `satchel VERB --help` says more about a verb.');
  const common = (command: Command) =>
    command.addOption(new Option('--config <file>', 'configuration file (default: satchel.json, where there is one)'));

  common(prepare(program.command('serve'), ports))
    .description('Run the server.')
    .option('--demo', 'deliver some dozens of sample messages to the first account')
    .action(({ config, demo = false }: { config?: string; demo?: boolean }) => ports.serve({ config, isDemo: demo }));

  common(prepare(program.command('config'), ports))
    .description('Show the configuration in effect.')
    .option('--schema', 'print its JSON schema instead')
    .option('--json', 'print JSON (it always is)')
    .action(async ({ config, schema = false }: { config?: string; schema?: boolean }) => {
      ports.stdout(`${await ports.showConfig({ config, isSchema: schema })}\n`);
    });

  const groups = new Map<string, Command>();
  for (const verb of ports.verbs) {
    if (verb.isInternal) continue;
    const [first = '', second] = verb.name.split(' ');
    let parent = program;
    if (second !== undefined) {
      parent = groups.get(first) ?? prepare(program.command(first), ports).summary(groupSummary(first, ports.verbs));
      groups.set(first, parent);
    }
    addVerb(common(prepare(parent.command(second ?? first), ports)), verb, ports, outcome);
  }
  addTransferCommands((name) => common(prepare(program.command(name), ports)), ports, outcome);
  return program;
}

function addVerb(command: Command, verb: Verb, ports: CliPorts, outcome: { exitCode: number }): void {
  command.description(verb.summary);
  const properties = verb.parameters.properties as Record<string, ParameterHints>;
  const required = new Set(verb.parameters.required ?? []);
  for (const name of verb.positional) {
    const hints = properties[name]!;
    const dots = hints.type === 'array' ? '...' : '';
    const argument = new Argument(required.has(name) ? `<${name}${dots}>` : `[${name}${dots}]`, hints.description);
    const choices = choicesOf(hints);
    command.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  const options = Object.keys(properties).filter((name) => !verb.positional.includes(name));
  for (const name of options) {
    const hints = properties[name]!;
    const { type, description, isSecret } = hints;
    const option = isSecret
      ? new Option(`--${kebab(name)}-stdin`, `read from standard input ${description}`)
      : new Option(type === 'boolean' ? `--${kebab(name)}` : `--${kebab(name)} <${name}>`, description);
    const choices = choicesOf(hints);
    if (choices !== undefined) option.choices(choices);
    command.addOption(option.makeOptionMandatory(required.has(name)));
  }
  command.option('--json', 'print JSON');
  command.action(async (...received: unknown[]) => {
    const given = received[verb.positional.length] as Record<string, unknown>;
    const parameters: Record<string, unknown> = {};
    for (const [index, name] of verb.positional.entries()) {
      const value = received[index];
      if (value !== undefined && !(Array.isArray(value) && value.length === 0)) parameters[name] = value;
    }
    for (const name of options) {
      if (!properties[name]!.isSecret) {
        if (given[name] !== undefined) parameters[name] = given[name];
      } else if (given[`${name}Stdin`]) {
        // One line as typed or piped: its end is not part of the password.
        parameters[name] = (await ports.readStdin()).replace(/\r?\n$/, '');
      }
    }
    const result = await ports.runVerb(verb, parameters, { config: given.config as string | undefined });
    const text = given.json ? asciiControls(JSON.stringify(result, undefined, 2)) : harmless(verb.print(result));
    if (text !== '') ports.stdout(`${text}\n`);
    if (verb.isFault(result)) outcome.exitCode = 1;
  });
}

/** commander throws instead of ending the process, and writes where we say. */
function prepare(command: Command, { stdout, stderr }: CliPorts): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: stdout, writeErr: stderr })
    .showHelpAfterError('(--help shows how to use it)')
    .showSuggestionAfterError();
}

function groupSummary(first: string, verbs: readonly Verb[]): string {
  const names = verbs.filter((verb) => verb.name.startsWith(`${first} `)).map((verb) => verb.name.slice(first.length + 1));
  return `${names.join(', ')}: see \`satchel ${first} --help\`.`;
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Mail is shown as its sender wrote it, who may have written commands for the terminal: they become pictures of themselves (U+2400), C1 controls U+FFFD. */
function harmless(text: string): string {
  return text.replace(/\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, (control) => {
    const code = control.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** RFC 8259 §7: what JSON leaves as it is, and a terminal obeys. */
function asciiControls(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}
