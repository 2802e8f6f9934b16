/** All commands. A row stands here once; everything else is computed from it. */
import type { AnyCommandRow } from '../command.ts';
import { deleteAcl, getAcl, listRights, myRights, setAcl } from './acl.ts';
import { append, replace } from './append.ts';
import { compress } from './compress.ts';
import { copy, move } from './copy.ts';
import { esearch } from './esearch.ts';
import { expunge } from './expunge.ts';
import { fetch } from './fetch.ts';
import { list, lsub, xlist } from './list.ts';
import { authenticate, login } from './login.ts';
import { create, remove, rename, subscribe } from './mailbox.ts';
import { getMetadata, setMetadata } from './metadata.ts';
import { notify } from './notify.ts';
import { getQuota, getQuotaRoot, setQuota } from './quota.ts';
import { search } from './search.ts';
import { close, select, unselect } from './select.ts';
import { capability, check, enable, getJmapAccess, id, idle, logout, namespace, noop, startTls } from './session.ts';
import { sort } from './sort.ts';
import { status } from './status.ts';
import { store } from './store.ts';
import { thread } from './thread.ts';
import { uidBatches } from './uid-batches.ts';

export const commandRows: readonly AnyCommandRow[] = [
  capability,
  noop,
  logout,
  startTls,
  authenticate,
  login,
  enable,
  compress,
  id,
  idle,
  namespace,
  getJmapAccess,
  list,
  lsub,
  xlist,
  status,
  select,
  close,
  unselect,
  create,
  remove,
  rename,
  subscribe,
  append,
  replace,
  check,
  expunge,
  search,
  esearch,
  sort,
  thread,
  fetch,
  store,
  copy,
  move,
  uidBatches,
  notify,
  getMetadata,
  setMetadata,
  getQuota,
  getQuotaRoot,
  setQuota,
  setAcl,
  deleteAcl,
  getAcl,
  listRights,
  myRights,
];

const byName = new Map(commandRows.flatMap((row) => row.names.map((name) => [name, row] as const)));

export function rowOf(name: string): AnyCommandRow | undefined {
  return byName.get(name);
}
