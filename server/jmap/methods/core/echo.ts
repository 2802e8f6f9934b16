/** Core/echo (RFC 8620 §4). */
import { Type } from 'typebox';
import { coreCapability, defineMethod } from '../../method.ts';

export const coreEcho = defineMethod({
  name: 'Core/echo',
  capability: coreCapability,
  access: 'read',
  arguments: Type.Object({}),
  run: (_context, args) => args,
});
