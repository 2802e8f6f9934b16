/** VacationResponse (RFC 8621 §8). The account's log keeps the one object of an account, as it is here, under the type `VacationResponse` and the id `singleton`. */
import { type Static, Type } from 'typebox';
import { nullable, strict } from './common.ts';

export const vacationResponseType = 'VacationResponse';
export const vacationResponseId = 'singleton';

/** What the user sets, all of it kept. Dates are UTCDates. */
export const VacationSettings = strict({
  isEnabled: Type.Boolean(),
  fromDate: nullable(Type.String()),
  toDate: nullable(Type.String()),
  subject: nullable(Type.String({ maxLength: 1_000 })),
  textBody: nullable(Type.String({ maxLength: 100_000 })),
  htmlBody: nullable(Type.String({ maxLength: 200_000 })),
});
export type VacationSettings = Static<typeof VacationSettings>;

/** Before anything was set. */
export const noVacation: VacationSettings = {
  isEnabled: false,
  fromDate: null,
  toDate: null,
  subject: null,
  textBody: null,
  htmlBody: null,
};

export const VacationResponse = strict({ id: Type.String(), ...VacationSettings.properties });
export type VacationResponse = Static<typeof VacationResponse>;
