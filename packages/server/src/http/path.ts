import { Type } from 'typebox'

/** Parameters of a path. Any text will do: what names nothing is answered as not found. */
export const pathOf = <const Name extends string>(...names: Name[]): Type.TObject<Record<Name, Type.TString>> =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Type.String()])) as Record<Name, Type.TString>)
