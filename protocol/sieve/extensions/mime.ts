/** RFC 5703: foreverypart, break and extracttext. `replace` and `enclose` are not offered. */
import { partsBelow, partText } from '../message.ts';
import { type Call, defineCommand } from '../row.ts';
import { isVariableName } from '../text.ts';
import { constant } from './matching.ts';
import { modified, modifierTags } from './variables.ts';

export const mimeCommands = [
  defineCommand({
    name: 'foreverypart',
    extension: 'foreverypart',
    tags: [{ name: 'name', takes: 'string', isConstant: true }],
    hasBlock: true,
    isLoop: true,
    run(machine, call) {
      const { message, parts } = machine;
      const outer = parts.at(-1)?.entity.part ?? message.root;
      for (const part of partsBelow(outer)) {
        // §3: inside another loop, the parts of its part.
        if (part === outer && parts.length > 0) continue;
        machine.step();
        parts.push({ entity: message.entityOf(part), call, name: constant(call, 'name') });
        machine.runBlock(call.block);
        parts.pop();
        const { jump } = machine;
        if (jump === undefined) continue;
        if (typeof jump === 'object' && jump.breakTo === call) machine.jump = undefined;
        return;
      }
    },
  }),
  defineCommand({
    name: 'break',
    extension: 'foreverypart',
    tags: [{ name: 'name', takes: 'string', isConstant: true }],
    check(call, facts) {
      const name = constant(call, 'name');
      if (facts.isInLoop(name)) return;
      throw facts.fail(
        call.line,
        `break stands outside of a foreverypart${name === undefined ? '' : ` named ${JSON.stringify(name.slice(0, 100))}`}.`,
      );
    },
    run(machine, call) {
      const name = constant(call, 'name');
      const loop = machine.parts.findLast((each) => name === undefined || each.name === name);
      if (loop === undefined) throw machine.fail('break stands outside of the loop that it would end.');
      machine.jump = { breakTo: loop.call };
    },
  }),
  defineCommand({
    name: 'extracttext',
    extension: 'extracttext',
    tags: [{ name: 'first', takes: 'number' }, ...modifierTags],
    values: ['string'],
    check({ values: [name], line }, facts) {
      if (!facts.isInLoop(undefined)) throw facts.fail(line, 'extracttext stands outside of foreverypart.');
      const [text] = name!.texts;
      if (typeof text !== 'string' || !isVariableName(text)) throw facts.fail(name!.line, 'extracttext takes the name of a variable.');
      if (!facts.isRequired('variables')) throw facts.fail(name!.line, 'extracttext needs require "variables".');
    },
    run(machine, call: Call) {
      const at = machine.parts.at(-1);
      if (at === undefined) throw machine.fail('extracttext stands outside of foreverypart.');
      const { part } = at.entity;
      const isText = part.children === undefined && part.message === undefined && part.type === 'text';
      const whole = isText ? partText(machine.message.raw, part, true) : '';
      const first = call.tags.get('first')?.number;
      const cut = first === undefined ? whole : [...whole.slice(0, first * 2)].slice(0, first).join('');
      machine.step(1 + Math.ceil(whole.length / 1024));
      machine.setVariable(call.values[0]!.texts[0] as string, modified(cut, call));
    },
  }),
];
