/**
 * The log: structured lines on standard error by pino. `json` is one object a line, `text` is for people at a terminal.
 *
 * A message is a short constant sentence; what varies goes into fields. Passwords, tokens and the text of mail are never logged.
 */
import pino from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** What the server's parts need of a log. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with `fields` on every line. */
  child(fields: LogFields): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
  /** Takes one finished line, newline included. */
  readonly write: (line: string) => void;
  /** Called after a line from `warn` on: whoever gathers lines lets them go. */
  readonly flush?: () => void;
}

const levelNames: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

export function createLogger(options: LoggerOptions): Logger {
  const write = options.format === 'json' ? options.write : (line: string) => options.write(formatLine(line));
  return wrap(
    pino(
      {
        level: options.level,
        base: null,
        serializers: { error: pino.stdSerializers.errWithCause },
        formatters: { level: (label) => ({ level: label }) },
        timestamp: pino.stdTimeFunctions.isoTime,
      },
      { write },
    ),
    options.flush ?? (() => {}),
  );
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLogger };

function wrap(inner: pino.Logger, flush: () => void): Logger {
  return {
    debug: (message, fields) => inner.debug(fields ?? {}, message),
    info: (message, fields) => inner.info(fields ?? {}, message),
    warn(message, fields) {
      inner.warn(fields ?? {}, message);
      flush();
    },
    error(message, fields) {
      inner.error(fields ?? {}, message);
      flush();
    },
    child: (fields) => wrap(inner.child(fields), flush),
  };
}

/** `09:15:04 warn  The store does not answer. store="s3 mail"`, an error's stack indented below. */
function formatLine(line: string): string {
  const { level, time, msg, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const name = typeof level === 'number' ? (levelNames[level] ?? level) : level;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value)}`,
  );
  const head = `${String(time).slice(11, 19)} ${String(name).padEnd(5)} ${String(msg)}`;
  const stack = (error as { stack?: string; message?: string } | undefined)?.stack ?? (error as { message?: string } | undefined)?.message;
  return `${[head, ...rest].join(' ')}\n${stack === undefined ? '' : `  ${stack.replaceAll('\n', '\n  ')}\n`}`;
}
