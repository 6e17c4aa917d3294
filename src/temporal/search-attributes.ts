import type { Client } from '@temporalio/client';

/** gavel's search attributes and their types, as `temporal operator search-attribute create` calls them; a dev server on SQLite allows three of type Int. */
export const SEARCH_ATTRIBUTES = {
  GavelStage: 'Keyword',
  GavelNode: 'Keyword',
  GavelStep: 'Int',
  GavelInterruptions: 'Int',
  GavelReward: 'Double',
  GavelAgreement: 'Double',
} as const;

/** Those of them that the server knows. Setting one that it does not know makes Temporal retry the workflow task for ever. */
export async function registeredSearchAttributes(client: Client): Promise<string[]> {
  const { namespace } = client.options;
  try {
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
    return Object.keys(SEARCH_ATTRIBUTES).filter((name) => customAttributes && name in customAttributes);
  } catch {
    // A cluster may forbid operator calls; the run goes on without search attributes.
    return [];
  }
}
