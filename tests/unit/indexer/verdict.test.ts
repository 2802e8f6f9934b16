import { describe, expect, test } from 'vitest';
import { readSesBlock } from '../../../indexer/ses/header-block.ts';
import { fieldsAboveReceived } from '../../../indexer/trusted-fields.ts';
import { decide, defaultVerdictRules, type Evidence, type VerdictRule } from '../../../indexer/verdict.ts';
import { fixture, idOf } from './fixtures.ts';

const evidenceOf = (name: string, id = idOf(fixture(name))): Evidence => {
  const block = readSesBlock(fixture(name), id);
  return { results: block?.results ?? {}, fields: block?.fields ?? [], isProven: block?.isProven ?? true };
};

describe('the default policy', () => {
  test.each([
    ['clean.eml', 'inbox'],
    ['spam.eml', 'junk'],
    ['virus.eml', 'quarantine'],
    ['unscanned.eml', 'inbox'],
    ['forged.eml', 'junk'],
    ['forged-block-only.eml', 'inbox'],
  ])('puts %s into %s', (name, action) => {
    expect(decide(defaultVerdictRules, evidenceOf(name)).action).toBe(action);
  });

  test('says which header decided', () => {
    expect(decide(defaultVerdictRules, evidenceOf('spam.eml')).because).toEqual({ header: 'X-SES-Spam-Verdict', value: 'FAIL' });
  });
});

test('fields are not read for rules that go by results', () => {
  const evidence: Evidence = {
    results: { spam: 'PASS' },
    get fields(): never {
      throw new Error('read');
    },
    isProven: true,
  };
  expect(decide(defaultVerdictRules, evidence)).toEqual({ action: 'inbox' });
  expect(() => decide([{ header: 'X-Org-Score', equals: '1', action: 'junk' }], evidence)).toThrow('read');
});

describe('a rule', () => {
  const rule = (fields: Partial<VerdictRule>): VerdictRule => ({ header: 'X-Org-Score', action: 'junk', ...fields });
  const decideOn = (value: string, fields: Partial<VerdictRule>) =>
    decide([rule(fields)], { results: {}, fields: [{ name: 'x-org-score', value }], isProven: true }).action;
  test.each<[string, Partial<VerdictRule>, string]>([
    ['7.5', { above: 5 }, 'junk'],
    ['5', { above: 5 }, 'inbox'],
    ['score=-3.2 required=5', { below: 0 }, 'junk'],
    ['no number', { above: 0 }, 'inbox'],
    ['YES', { equals: 'yes' }, 'junk'],
    ['YES indeed', { equals: 'yes' }, 'inbox'],
    ['YES indeed', { contains: 'yes' }, 'junk'],
    ['6', { above: 5, below: 10 }, 'junk'],
    ['11', { above: 5, below: 10 }, 'inbox'],
    ['anything', {}, 'inbox'],
  ])('on %j with %j gives %s', (value, fields, action) => {
    expect(decideOn(value, fields)).toBe(action);
  });

  test('sees a header that a receipt rule added, and not the one below the block', () => {
    expect(decide([rule({ above: 5 })], evidenceOf('added-header.eml')).action).toBe('junk');
    expect(decide([rule({ below: 0 })], evidenceOf('added-header.eml')).action).toBe('inbox');
  });

  test('that comes first decides', () => {
    const rules: VerdictRule[] = [{ header: 'X-SES-DMARC-Verdict', equals: 'PASS', action: 'inbox' }, ...defaultVerdictRules];
    expect(decide(rules, evidenceOf('virus.eml')).action).toBe('inbox');
    expect(decide(rules, evidenceOf('spam.eml')).action).toBe('junk');
  });
});

describe('a block that is not proven', () => {
  test('can speak against its message only', () => {
    const allow: VerdictRule = { header: 'X-SES-Spam-Verdict', equals: 'PASS', action: 'inbox' };
    const suspect: VerdictRule = { header: 'X-SES-SPF-Verdict', equals: 'PASS', action: 'junk' };
    expect(decide([allow, suspect], evidenceOf('clean.eml')).action).toBe('inbox');
    expect(decide([allow, suspect], evidenceOf('clean.eml', 'other')).action).toBe('junk');
    expect(decide(defaultVerdictRules, evidenceOf('spam.eml', 'other')).action).toBe('junk');
  });

  test('drops nothing: the message is held', () => {
    const drop: VerdictRule[] = [{ header: 'X-SES-Spam-Verdict', equals: 'FAIL', action: 'drop' }];
    expect(decide(drop, evidenceOf('spam.eml')).action).toBe('drop');
    expect(decide(drop, evidenceOf('spam.eml', 'other')).action).toBe('quarantine');
  });
});

test.each([900, 1000, 1010, 5000])('they are found, whole, where the MTA writes %i characters above it', (length) => {
  const value = 'x'.repeat(length);
  const message = Buffer.from(`X-Spam-Status: No,\r\n\t${value}\r\nReceived: from a by b;\r\n\td\r\nX-Spam-Flag: NO\r\n\r\n`);
  expect(fieldsAboveReceived(message)).toEqual([{ name: 'x-spam-status', value: `No,\t${value}` }]);
});

test('of what an MTA hands over, only fields above the topmost Received are its own', () => {
  const fields = (text: string) => fieldsAboveReceived(Buffer.from(text)).map((field) => `${field.name}=${field.value}`);
  expect(fields('X-Spam-Flag: YES\r\nReceived: from a by b; d\r\nX-Spam-Flag: NO\r\n\r\n')).toEqual(['x-spam-flag=YES']);
  expect(fields('X-Spam-Flag: NO\r\nSubject: no trace of an MTA\r\n\r\n')).toEqual([]);
  expect(fields('X-Spam-Flag: NO\r\n\r\nReceived: in the body\r\n')).toEqual([]);
});
