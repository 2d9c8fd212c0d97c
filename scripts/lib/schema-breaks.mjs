// What of a published schema may not change under the same version: whoever reads events by it must
// be able to go on, and whoever reads by the new one must be able to read the stored ones.
const valuesOf = (schema) => ('const' in schema ? [schema.const] : schema.enum);
const typesOf = ({ type }) => (type === undefined ? [] : [type].flat().toSorted());
const kindOf = (schema) =>
  valuesOf(schema)
    ? 'listed values'
    : schema.anyOf
      ? 'one of several forms'
      : typesOf(schema).join(' or ') || 'anything';

/** One line each; empty where everybody can go on. A new optional field or listed value is fine. */
export function breaksOf(before, after, at) {
  const [was, is] = [valuesOf(before), valuesOf(after)];
  if (was && is) return ofValues(was, is, at);
  if (kindOf(before) !== kindOf(after))
    return [`${at}: was ${kindOf(before)}, is ${kindOf(after)}`];
  if (before.anyOf) return ofForms(before.anyOf, after.anyOf, at);
  const found = [];
  for (const word of ['pattern', 'format', 'minimum', 'maximum']) {
    if (before[word] !== after[word])
      found.push(`${at}: ${word} was ${before[word] ?? 'free'}, is ${after[word] ?? 'free'}`);
  }
  if (before.items || after.items)
    found.push(...breaksOf(before.items ?? {}, after.items ?? {}, `${at}[]`));
  const [rest, newRest] = [before.additionalProperties, after.additionalProperties];
  if (rest !== undefined || newRest !== undefined)
    found.push(...breaksOf(rest ?? {}, newRest ?? {}, `${at}.*`));
  return [...found, ...ofFields(before, after, at)];
}

function ofValues(was, is, at) {
  const gone = was.filter((value) => !is.includes(value));
  const lost = gone.map((value) => `${at}: ${JSON.stringify(value)} is gone`);
  const absent = is.includes(null) && !was.includes(null) ? [`${at}: may be null now`] : [];
  return [...lost, ...absent];
}

function ofForms(before, after, at) {
  const fits = (form, others) => others.some((other) => breaksOf(form, other, at).length === 0);
  const lost = before.filter((form) => !fits(form, after));
  const more = after.length > before.length ? [`${at}: has a form that it had not`] : [];
  return [...lost.map((form) => `${at}: the form ${JSON.stringify(form)} is gone`), ...more];
}

function ofFields(before, after, at) {
  const [fields, newFields] = [before.properties ?? {}, after.properties ?? {}];
  const [must, newMust] = [new Set(before.required), new Set(after.required)];
  const found = [];
  for (const [name, schema] of Object.entries(fields)) {
    const place = `${at}.${name}`;
    if (!(name in newFields)) found.push(`${place}: is gone`);
    else found.push(...breaksOf(schema, newFields[name], place));
    if (name in newFields && must.has(name) && !newMust.has(name))
      found.push(`${place}: may be absent now`);
  }
  for (const name of newMust)
    if (!must.has(name)) found.push(`${at}.${name}: must be there, and is not in what is stored`);
  return found;
}
