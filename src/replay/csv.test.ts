import { expect, test } from "vitest";
import { CsvParser, type CsvRecord } from "./csv.ts";

/** The file's records, fed in pieces of `size` characters. */
function parse(text: string, size = text.length): readonly CsvRecord[] {
  const parser = new CsvParser();
  const records: CsvRecord[] = [];
  for (let at = 0; at < text.length; at += Math.max(1, size)) records.push(...parser.push(text.slice(at, at + size)));
  return [...records, ...parser.end()];
}

const fieldsOf = (text: string, size?: number) => parse(text, size).map((record) => record.fields);

const awkward = 'a,b,c\r\n1,"two, and\r\na ""half""",3\n,,\n"","x"," y "\r\n"""",\'s,"last"';
const parsed = [
  ["a", "b", "c"],
  ["1", 'two, and\r\na "half"', "3"],
  ["", "", ""],
  ["", "x", " y "],
  ['"', "'s", "last"],
];

test("quoted fields hold commas, line ends and doubled quotes", () => {
  expect(fieldsOf(awkward)).toEqual(parsed);
});

test.each([1, 2, 3, 5, 7, 11])("pieces of %i characters give the same records", (size) => {
  expect(parse(awkward, size)).toEqual(parse(awkward));
});

test("lines are counted through quoted line ends", () => {
  expect(parse('h\n"1\n2"\n3\n').map((record) => record.line)).toEqual([1, 2, 4]);
});

test("blank lines are passed over and a missing last line end is no matter", () => {
  expect(fieldsOf("a\n\n\r\nb")).toEqual([["a"], ["b"]]);
});

test("an empty file has no records", () => {
  expect(fieldsOf("")).toEqual([]);
});

test.each([
  ['1,"x"y,2\n3,4,5\n', "text follows the closing quote of a field"],
  ['1,"x"y"z,2\n3,4,5\n', "text follows the closing quote of a field"],
  ['1,x"y",2\n3,4,5\n', "a quote stands inside a field that does not begin with one"],
])("%j is a problem of that record only", (text, problem) => {
  const records = parse(text);
  expect(records.map((record) => record.problem)).toEqual([problem, undefined]);
  expect(records[1]?.fields).toEqual(["3", "4", "5"]);
});

test("a quote that is never closed names the line where it opens", () => {
  expect(() => parse('a\nb\n"c\nd\n')).toThrow("line 3 opens a quote that is never closed");
});

test("an endless field is refused before it fills the memory", () => {
  const parser = new CsvParser();
  parser.push('a\n"');
  const feed = () => {
    for (let piece = 0; piece < 20; piece++) parser.push("x".repeat(100_000));
  };
  expect(feed).toThrow("longer than 1048576 characters");
});
