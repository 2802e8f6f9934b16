/** VacationResponse/get and /set (RFC 8621 §8): one object, which is there before anything was set. Delivery reads it. */
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { getArguments, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import {
  noVacation,
  VacationResponse,
  VacationSettings,
  vacationResponseId,
  vacationResponseType,
} from '../../../../protocol/jmap/schema/vacation-response.ts';
import { parseJmapDate } from '../../../../protocol/jmap/utc-date.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { defineMethod, vacationCapability } from '../../method.ts';
import { standardGet } from '../../standard/get.ts';
import { notFoundError, standardSet } from '../../standard/set.ts';
import { changedSettings, checkSettings } from '../../standard/settings.ts';
import { stateString } from '../../states.ts';

const singleton = new SetFailure({ type: 'singleton', description: 'There is one vacation response, neither more nor less.' });

function current(reader: AccountReader): VacationResponse {
  return { id: vacationResponseId, ...noVacation, ...reader.object<VacationSettings>(vacationResponseType, vacationResponseId) };
}

export const vacationResponseGet = defineMethod({
  name: 'VacationResponse/get',
  capability: vacationCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) =>
    context.account.read((reader) =>
      standardGet<VacationResponse>(context, args, {
        defaults: Object.keys(VacationResponse.properties),
        isProperty: (name) => Object.hasOwn(VacationResponse.properties, name),
        state: stateString(context.cache.states(reader), 'VacationResponse'),
        all: () => [vacationResponseId],
        rowOf: (id) => (id === vacationResponseId ? current(reader) : undefined),
        valueOf: (row, property) => row[property as keyof VacationResponse],
      }),
    ),
});

export const vacationResponseSet = defineMethod({
  name: 'VacationResponse/set',
  capability: vacationCapability,
  access: 'write',
  arguments: setArguments({}),
  async run(context, args) {
    const { response } = await standardSet(context, args, {
      type: 'VacationResponse',
      create: () => Promise.reject(singleton),
      destroy: (_steps, id) => Promise.reject(id === vacationResponseId ? singleton : new SetFailure(notFoundError)),
      async update(steps, id, patch) {
        if (id !== vacationResponseId) throw new SetFailure(notFoundError);
        await steps.transact((tx) => {
          const changed = changedSettings(patch, current(tx));
          checkSettings(VacationSettings, changed);
          const { id: _, ...settings } = { ...current(tx), ...changed };
          checkDates(settings);
          const isChanged = Object.keys(changed).length > 0;
          if (isChanged) tx.putObject(vacationResponseType, vacationResponseId, settings);
          return { value: undefined, isChanged };
        });
        return null;
      },
    });
    return response;
  },
});

function checkDates({ fromDate, toDate }: VacationSettings): void {
  for (const [name, date] of Object.entries({ fromDate, toDate })) {
    if (date !== null && parseJmapDate(date, true) === undefined) throw invalidProperties(`${name} is a UTCDate.`, name);
  }
  if (fromDate !== null && toDate !== null && Date.parse(toDate) <= Date.parse(fromDate))
    throw invalidProperties('toDate comes after fromDate.', 'toDate');
}
