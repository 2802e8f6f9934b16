/** What Linux says about a process: its memory, and the processor time that it took. Other systems say nothing here, and the figures are 0. */
import { existsSync, readFileSync } from 'node:fs';

export interface Memory {
  readonly rssMb: number;
  /** What is the process's own: heap, buffers, stacks. */
  readonly anonMb: number;
  /** Pages of files that it has mapped, the index above all: the kernel takes them back when others want memory. */
  readonly fileMb: number;
}

export function memoryOf(pid: number): Memory {
  const status = read(pid, 'status');
  const mb = (name: string) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024);
  return { rssMb: mb('VmRSS'), anonMb: mb('RssAnon'), fileMb: mb('RssFile') };
}

/** User and system, children that have ended included. */
export function cpuSeconds(pid: number): number {
  const stat = read(pid, 'stat');
  // proc(5): the name in parentheses may hold anything; utime is the 14th field, the 12th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticksPerSecond = 100;
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

function read(pid: number, name: string): string {
  const path = `/proc/${pid}/${name}`;
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
