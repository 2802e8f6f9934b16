import { describe, expect, it } from 'vitest';
import { type Address, isGroup, type Mailbox, parseAddresses, toEmailAddress } from '../../../protocol/mime/address.ts';
import { asAddresses, asGroupedAddresses } from '../../../protocol/mime/header-forms.ts';

/** name|mailbox|host, groups as name:[…]. */
function show(address: Address): string {
  if (isGroup(address)) return `${address.group}:[${address.members.map(show).join(' ')}]`;
  const { name, route, mailbox, host }: Mailbox = address;
  return `${name ?? ''}|${route === undefined ? '' : `${route}:`}${mailbox}|${host}`;
}

describe('address lists', () => {
  const rows: [value: string, want: string[]][] = [
    ['a@b', ['|a|b']],
    ['a@b, c@d', ['|a|b', '|c|d']],
    ['A B <a@b>', ['A B|a|b']],
    ['"A, B" <a@b>', ['A, B|a|b']],
    ['"A \\"Q\\" \\\\ B" <a@b>', ['A "Q" \\ B|a|b']],
    ['John Q. Public <j@x>', ['John Q. Public|j|x']],
    ['Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>', ['Pete|pete|silly.test']],
    ['a@b (Joe Doe)', ['Joe Doe|a|b']],
    ['(comment) a@b', ['comment|a|b']],
    [
      'A Group(Some people) :Chris Jones <c@(host)public.example>, joe@example.org, John <jdoe@one.test> (my friend);',
      ['A Group:[Chris Jones|c|public.example |joe|example.org John|jdoe|one.test]'],
    ],
    ['(Empty list)(start)Hidden recipients :(nobody(that I know)) ;', ['Hidden recipients:[]']],
    ['undisclosed-recipients:;', ['undisclosed-recipients:[]']],
    ['g: a@b; c@d', ['g:[|a|b]', '|c|d']],
    ['g: a@b', ['g:[|a|b]']],
    ['Mary Smith <@node.test:mary@example.net>, , jdoe@test . example', ['Mary Smith|@node.test:mary|example.net', '|jdoe|test.example']],
    ['<@a,@b:c@d>', ['|@a,@b:c|d']],
    ['john . doe @ example . com', ['|john.doe|example.com']],
    ['"joe smith"@x.example', ['|joe smith|x.example']],
    ['""@x.example', ['||x.example']],
    ['a@[127.0.0.1]', ['|a|[127.0.0.1]']],
    ['a@b;c@d', ['|a|b', '|c|d']],
    ['A <a@b> C <c@d>', ['A|a|b', 'C|c|d']],
    ['<a@b, c@d', ['|a|b', '|c|d']],
    ['"A <a@b>', ['A|a|b']],
    ['A <a@b>, "C <c@d>', ['A|a|b', 'C|c|d']],
    ['(A <a@b>', ['A|a|b']],
    ['Joe Doe joe@x', ['Joe Doe|joe|x']],
    ['a@b@c', ['|a@b|c']],
    ['<a@b@c>', ['|a@b|c']],
    ['root', ['|root|']],
    ['Mail Delivery <MAILER-DAEMON>', ['Mail Delivery|MAILER-DAEMON|']],
    ['<>', []],
    ['', []],
    [' , ;, ', []],
    ['=?utf-8?Q?Doe,_Joe?= <a@b>', ['=?utf-8?Q?Doe,_Joe?=|a|b']],
    ['=?utf-8?Q?a@b?= <c@d>', ['=?utf-8?Q?a@b?=|c|d']],
    ["'a@b' <a@b>", ["'a@b'|a|b"]],
    ['a@b@ <c@d>', ['a@b@|c|d']],
    ['foo bar@x', ['|foo bar|x']],
    ['foo.bar baz@x', ['|foo.bar baz|x']],
    ['"foo" bar@x', ['foo|bar|x']],
    ['=?utf-8?Q?foo?= bar@x', ['=?utf-8?Q?foo?=|bar|x']],
    ['foo (c) bar@x', ['foo|bar|x']],
    ['J. R. Smith jrs@x', ['J. R. Smith|jrs|x']],
    ['foo@x bar', ['bar|foo|x']],
    ['a@b c@d', ['|a|b', '|c|d']],
    ['a@b (A) Joe Doe c@d, e@f', ['A|a|b', 'Joe Doe|c|d', '|e|f']],
    ['a@b <c@d>', ['a@b|c|d']],
    ['a@b <', ['|a|b']],
    ['a@b <>', ['|a|b']],
    ['A <>', ['A||']],
    ['a@b>', ['|a|b']],
    ['A <<a@b>>', ['A|a|b']],
    ['a(c)@b', ['c|a|b']],
    ['a@(c)b . d', ['c|a|b.d']],
    [': a@b;', ['|a|b']],
    ['<undisclosed:@a.example;>', ['|undisclosed:|a.example']],
  ];
  it.each(rows)('%s', (value, want) => {
    expect(parseAddresses(value).map(show)).toEqual(want);
  });

  it('stop at the given number', () => {
    expect(parseAddresses('a@b, '.repeat(50), 7)).toHaveLength(7);
  });
});

describe('JMAP addresses (RFC 8621 §4.1.2.3, §4.1.2.4)', () => {
  it("are the RFC's example", () => {
    const value =
      '"  James Smythe" <james@example.com>, Friends:\r\n  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n  <john@example.com>;';
    const james = { name: 'James Smythe', email: 'james@example.com' };
    const friends = [
      { name: null, email: 'jane@example.com' },
      { name: 'John Smîth', email: 'john@example.com' },
    ];
    expect(asAddresses(value)).toEqual([james, ...friends]);
    expect(asGroupedAddresses(value)).toEqual([
      { name: null, addresses: [james] },
      { name: 'Friends', addresses: friends },
    ]);
  });

  it('quote a local part that needs it', () => {
    expect(toEmailAddress({ mailbox: 'joe smith', host: 'x' }).email).toBe('"joe smith"@x');
  });

  it('read UTF-8 names and addresses (RFC 6532)', () => {
    const value = Buffer.from('Jörg <jörg@exämple.de>').toString('latin1');
    expect(asAddresses(value)).toEqual([{ name: 'Jörg', email: 'jörg@exämple.de' }]);
  });
});
