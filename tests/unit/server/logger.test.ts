import { expect, it } from 'vitest';
import { createLogger, type LoggerOptions } from '../../../server/logger.ts';

function lines(format: LoggerOptions['format'], level: LoggerOptions['level'] = 'info') {
  const written: string[] = [];
  return { written, logger: createLogger({ format, level, write: (line) => void written.push(line) }) };
}

it('json is one object a line, with the fields of its parents and an error’s stack', () => {
  const { written, logger } = lines('json');
  logger.child({ part: 'sweep' }).warn('The store does not answer.', { key: 'inbound/x', error: new Error('no route') });
  logger.debug('Not at this level.');
  expect(written).toHaveLength(1);
  expect(JSON.parse(written[0]!)).toMatchObject({
    level: 'warn',
    part: 'sweep',
    key: 'inbound/x',
    msg: 'The store does not answer.',
    error: { message: 'no route', stack: expect.stringContaining('logger.test') },
  });
});

it('text is for people: time, level, sentence, fields', () => {
  const { written, logger } = lines('text');
  logger.info('Listening.', { face: 'imap', at: '127.0.0.1:1143', note: 'two words' });
  expect(written[0]).toMatch(/^\d\d:\d\d:\d\d info {2}Listening\. face=imap at=127\.0\.0\.1:1143 note="two words"\n$/);
});
