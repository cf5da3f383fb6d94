// What an app does with fhir-kit-client: it prints one JSON line that test_fhir_kit_client.py reads.
// node ordinary_work.mjs BASE_URL
import { Client as FhirClient } from "fhir-kit-client";

const client = new FhirClient({ baseUrl: process.argv[2] });
const seen = {};

const capabilities = await client.capabilityStatement();
seen.fhirVersion = capabilities.fhirVersion;

const created = await client.create({
  resourceType: 'Patient',
  body: { resourceType: 'Patient', name: [{ family: 'ทดสอบ', given: ['หนึ่ง'] }], gender: 'female' },
});
seen.createdVersion = created.meta.versionId;

const read = await client.read({ resourceType: 'Patient', id: created.id });
seen.family = read.name[0].family;

const updated = await client.update({ resourceType: 'Patient', id: created.id, body: { ...read, birthDate: '2001-02-03' } });
seen.updatedVersion = updated.meta.versionId;

await client.patch({
  resourceType: 'Patient',
  id: created.id,
  jsonPatch: [{ op: 'replace', path: '/gender', value: 'other' }],
});
const old = await client.vread({ resourceType: 'Patient', id: created.id, version: '1' });
seen.oldGender = old.gender;
seen.newGender = (await client.read({ resourceType: 'Patient', id: created.id })).gender;

await client.transaction({
  body: {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [1, 2, 3].map((i) => ({
      resource: {
        resourceType: 'Observation', status: 'final', code: { text: `o${i}` }, subject: { reference: `Patient/${created.id}` },
      },
      request: { method: 'POST', url: 'Observation' },
    })),
  },
});

let page = await client.search({ resourceType: 'Observation', searchParams: { patient: created.id, _count: 2 } });
const found = [];
while (page) {
  found.push(...(page.entry ?? []).map((e) => e.resource.code.text));
  page = await client.nextPage({ bundle: page });
}
seen.observations = found;

const posted = await client.search({
  resourceType: 'Patient', searchParams: { name: 'ทด' }, options: { postSearch: true },
});
seen.byName = posted.entry.length;

const history = await client.history({ resourceType: 'Patient', id: created.id });
seen.history = history.entry.map((e) => e.request.method);

const included = await client.search({
  resourceType: 'Observation', searchParams: { _include: 'Observation:subject', code: 'none', 'code:missing': 'false' },
});
seen.included = included.entry?.length ?? 0;

const resolved = await client.resolve({ reference: `Patient/${created.id}` });
seen.resolved = resolved.id === created.id;

const extra = await client.create({ resourceType: 'Basic', body: { resourceType: 'Basic', code: { text: 'x' } } });
await client.delete({ resourceType: 'Basic', id: extra.id });
try {
  await client.read({ resourceType: 'Basic', id: extra.id });
} catch (error) {
  seen.gone = error.response.status;
  seen.outcome = error.response.data.resourceType;
}
console.log(JSON.stringify(seen));
