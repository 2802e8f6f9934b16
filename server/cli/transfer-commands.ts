/** The verbs `import` and `export`: the files are this process's, the mail the server's. */
import { type Command, Option } from 'commander';
import type { CallVerb } from '../transfer/call-verb.ts';
import { exportMessages, formatExportReport } from '../transfer/export-messages.ts';
import { formatImportReport, importMessages } from '../transfer/import-messages.ts';
import { progressBar } from '../transfer/progress-bar.ts';
import type { CliPorts, CommonOptions } from './program.ts';

/** A server that runs, or the store opened by this process, for as long as it is used. */
export interface VerbSession extends AsyncDisposable {
  readonly call: CallVerb;
  readonly messageBytesMax: number;
}

interface Given {
  readonly config?: string;
  readonly json?: boolean;
}

export function addTransferCommands(add: (name: string) => Command, ports: CliPorts, outcome: { exitCode: number }): void {
  const open = ({ config }: Given) => ports.openVerbs({ config } satisfies CommonOptions);
  const print = (given: Given, report: object, text: string) =>
    ports.stdout(`${given.json ? JSON.stringify(report, undefined, 2) : text}\n`);

  add('import')
    .description(
      'Put messages from files into an account: mbox, Maildir, .eml, folders, and gz, zst or zip of them. Again, it adds nothing twice.',
    )
    .argument('<address>', 'the account')
    .argument('<path...>', 'files and folders')
    .option('--mailbox <name>', 'the mailbox that takes everything, such as Archive/2019 (default: where it lay, or INBOX)')
    .option('--json', 'print JSON')
    .action(async (address: string, paths: string[], given: Given & { readonly mailbox?: string }) => {
      const mailbox = given.mailbox?.split('/').filter((level) => level !== '');
      if (mailbox?.length === 0) throw new Error(`"${given.mailbox}" names no mailbox: write it as Archive/2019.`);
      await using session = await open(given);
      const bar = progressBar(ports.terminal, ports.now);
      const { call, messageBytesMax } = session;
      const onProgress = (done: number, { added, known }: { added: number; known: number }) =>
        bar.show(`${added} added, ${known} there already`, done);
      const report = await importMessages({ call, address, paths, mailbox, messageBytesMax, onProgress }).finally(() => bar.clear());
      print(given, report, formatImportReport(report));
      if (report.faults.length > 0) outcome.exitCode = 1;
    });

  add('export')
    .description("Write an account's messages to a folder, byte for byte, with their flags.")
    .argument('<address>', 'the account')
    .argument('<folder>', 'a new folder')
    .addOption(new Option('--format <format>', 'one of').choices(['maildir', 'mbox']).default('maildir'))
    .option('--json', 'print JSON')
    .action(async (address: string, folder: string, given: Given & { readonly format: 'maildir' | 'mbox' }) => {
      await using session = await open(given);
      const bar = progressBar(ports.terminal, ports.now);
      const { call } = session;
      const onProgress = (messages: number) => bar.show(`${messages} messages written`);
      const report = await exportMessages({ call, address, folder, format: given.format, onProgress }).finally(() => bar.clear());
      print(given, report, formatExportReport(report));
    });
}
