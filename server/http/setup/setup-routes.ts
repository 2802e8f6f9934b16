/**
 * Set-up of mail programs over HTTP, and a page that tells people the same. They ask before anybody has logged in, so the answers hold nothing that the DNS does not say as well: for an
 * address of a domain of ours, whether or not there is an account.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../storage/clock.ts';
import { canonicalAddress } from '../../../storage/directory/address.ts';
import type { Directory } from '../../../storage/directory/directory.ts';
import type { ClientSetup } from '../../admin/client-setup.ts';
import { setupBodyBytesMax } from '../limits.ts';
import { appleProfile, autoconfig, autodiscover, autodiscoverError } from './documents.ts';
import { frontPage, frontPagePolicy } from './front-page.ts';
import { type SigningPair, signProfile } from './sign-profile.ts';
import { unescapeXml } from './xml.ts';

export interface SetupRoutesOptions {
  readonly directory: Pick<Directory, 'isLocalDomain'>;
  readonly setup: () => ClientSetup;
  /** Whether the configuration names the host in `setup`. Otherwise it is the one that was asked, as it is in JMAP's session. */
  readonly isHostGiven: boolean;
  readonly certificate: () => SigningPair;
  readonly clock: Pick<Clock, 'now'>;
  /** Where the configuration gives it. */
  readonly publicUrl: string | undefined;
}

/** Outlook's own spellings; paths are matched as they are written. */
const autodiscoverPaths = ['/autodiscover/autodiscover.xml', '/Autodiscover/Autodiscover.xml', '/AutoDiscover/AutoDiscover.xml'];

export async function addSetupRoutes(server: FastifyInstance, options: SetupRoutesOptions): Promise<void> {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: setupBodyBytesMax }, (_request, body, done) => done(null, body));
    for (const path of ['/.well-known/autoconfig/mail/config-v1.1.xml', '/mail/config-v1.1.xml']) {
      scope.get(path, async (request, reply) => answerAutoconfig(request, reply, options));
    }
    for (const path of autodiscoverPaths) scope.post(path, async (request, reply) => answerAutodiscover(request, reply, options));
    for (const folder of ['/autodiscover', '/Autodiscover']) {
      for (const path of ['autodiscover.json', 'autodiscover.json/v1.0/:address']) {
        scope.get(`${folder}/${path}`, async (request, reply) => answerAutodiscoverJson(request, reply, options));
      }
    }
    scope.get('/', async (request, reply) => answerPage(request, reply, options));
    scope.get('/mail.mobileconfig', async (request, reply) => answerProfile(request, reply, options));
  });
}

const query = (request: FastifyRequest, name: string): string | undefined => {
  const entries = Object.entries(request.query as Record<string, unknown>);
  const value = entries.find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === 'string' ? value : undefined;
};

/** The address in canonical form, where its domain is one of ours. */
function ourAddress(given: string | undefined, { directory }: SetupRoutesOptions): string | undefined {
  const address = canonicalAddress(given?.trim() ?? '');
  return address !== undefined && directory.isLocalDomain(address) ? address : undefined;
}

const notFound = (reply: FastifyReply, message: string) => reply.code(404).send({ error: { code: 'notFound', message } });
const xmlReply = (reply: FastifyReply, text: string) => reply.type('text/xml; charset=utf-8').send(text);

/** What a Host field may hold and a mail program may be told. */
const hostPattern = /^[A-Za-z0-9.-]{1,253}$/;

function setupFor(request: FastifyRequest, { setup, isHostGiven }: SetupRoutesOptions): ClientSetup {
  const told = setup();
  return isHostGiven || !hostPattern.test(request.hostname) ? told : { ...told, host: request.hostname.toLowerCase() };
}

const publicUrlFor = (request: FastifyRequest, { publicUrl }: SetupRoutesOptions) =>
  publicUrl?.replace(/\/+$/, '') ?? `${request.protocol}://${request.host}`;

function answerPage(request: FastifyRequest, reply: FastifyReply, options: SetupRoutesOptions, notice?: string): FastifyReply {
  reply.type('text/html; charset=utf-8').header('content-security-policy', frontPagePolicy).header('x-content-type-options', 'nosniff');
  return reply.send(frontPage(setupFor(request, options), publicUrlFor(request, options), notice));
}

/** The domain is the address's, or that of the host `autoconfig.example.com` that was asked. */
function answerAutoconfig(request: FastifyRequest, reply: FastifyReply, options: SetupRoutesOptions): FastifyReply {
  const given = query(request, 'emailaddress');
  const host = request.hostname.toLowerCase().replace(/^autoconfig\./, '');
  const domain = given === undefined ? host : ourAddress(given, options)?.replace(/^.*@/, '');
  if (domain === undefined || !options.directory.isLocalDomain(domain)) return notFound(reply, 'This server has no mail of that domain.');
  return xmlReply(reply, autoconfig(domain, setupFor(request, options)));
}

/** MS-OXDSCLI §2.2.3: errors are answered with 200, as XML. */
function answerAutodiscover(request: FastifyRequest, reply: FastifyReply, options: SetupRoutesOptions): FastifyReply {
  const body = typeof request.body === 'string' ? request.body : '';
  const element = (name: string) => {
    const match = new RegExp(`<(?:[\\w-]+:)?${name}>([^<]{1,320})</`, 'i').exec(body);
    return match === null ? undefined : unescapeXml(match[1]!).trim();
  };
  const time = new Date(options.clock.now()).toISOString().slice(11, 23);
  const refuse = (code: 600 | 601 | 602, message: string) => xmlReply(reply, autodiscoverError(code, message, time));
  const given = element('EMailAddress');
  if (given === undefined) return refuse(600, 'Invalid request');
  // Phones ask for ActiveSync.
  const schema = element('AcceptableResponseSchema');
  if (schema !== undefined && !/\/outlook\/responseschema\/2006a$/i.test(schema)) return refuse(601, 'Provider is not available');
  const address = ourAddress(given, options);
  return address === undefined
    ? refuse(602, 'The address is not of this server')
    : xmlReply(reply, autodiscover(address, setupFor(request, options)));
}

/** Newer Outlooks ask here first where the XML is. */
function answerAutodiscoverJson(request: FastifyRequest, reply: FastifyReply, options: SetupRoutesOptions): FastifyReply {
  const { address } = request.params as { address?: string };
  if (ourAddress(address ?? query(request, 'email'), options) === undefined) {
    return reply.code(404).send({ ErrorCode: 'UserNotFound', ErrorMessage: 'The address is not of this server.' });
  }
  if (query(request, 'protocol')?.toLowerCase() !== 'autodiscoverv1') {
    return reply.code(400).send({ ErrorCode: 'InvalidProtocol', ErrorMessage: 'The protocol that is served is AutodiscoverV1.' });
  }
  return reply.send({ Protocol: 'AutodiscoverV1', Url: `${publicUrlFor(request, options)}/autodiscover/autodiscover.xml` });
}

/**
 * A signature that cannot be made is left out: a device says that it cannot verify the profile, and offers to install it all the same. A host that only
 * the request names is not signed for: whoever asks could name his own.
 */
async function answerProfile(request: FastifyRequest, reply: FastifyReply, options: SetupRoutesOptions): Promise<FastifyReply> {
  const address = ourAddress(query(request, 'email'), options);
  if (address === undefined) {
    // People come from the page's form.
    if (/\btext\/html\b/i.test(request.headers.accept ?? '')) {
      return answerPage(request, reply.code(404), options, 'This server has no mail of that address. Look whether it is spelt right.');
    }
    return notFound(reply, 'Ask for /mail.mobileconfig?email= with an address of this server.');
  }
  const profile = appleProfile(address, setupFor(request, options));
  if (profile === undefined) return notFound(reply, 'This server does not take mail from its users: there is nothing to set up.');
  const signed = options.isHostGiven ? await signProfile(profile, options.certificate(), options.clock.now()) : undefined;
  return reply
    .type('application/x-apple-aspen-config')
    .header('content-disposition', 'attachment; filename="mail.mobileconfig"')
    .send(signed ?? profile);
}
