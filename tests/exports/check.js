// Reads every .vtt of a folder with the strict parser of the W3C: no errors, and cues as wanted.
"use strict";

const { readFileSync, readdirSync } = require("node:fs");
const { basename, join } = require("node:path");
const { isDeepStrictEqual } = require("node:util");
const { WebVTTParser } = require("webvtt-parser");
const entities = require("webvtt-parser/html-entities.json");

function text(nodes) {
  return nodes.map((node) => (node.type === "text" ? node.value : text(node.children))).join("");
}

// The standard reads character references in annotations too; this parser leaves them.
function voice(nodes) {
  const name = nodes.length === 1 && nodes[0].name === "v" ? nodes[0].value : "";
  return name.replace(/&[a-z]+;/g, (reference) => entities[reference]);
}

function read(cue) {
  const ms = (seconds) => Math.round(seconds * 1000);
  const nodes = cue.tree.children;
  return {
    start: ms(cue.startTime),
    end: ms(cue.endTime),
    voice: voice(nodes),
    lines: text(nodes).split("\n"),
  };
}

function wanted(row) {
  const [start, end, speaker, lines] = row.split("\u001f");
  return { start: Number(start), end: Number(end), voice: speaker, lines: lines.split("\u001e") };
}

const folder = process.argv[2];
let files = 0;
let cues = 0;
let faults = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".vtt"))) {
  const name = basename(file, ".vtt");
  const parsed = new WebVTTParser(entities).parse(readFileSync(join(folder, file), "utf8"), "subtitles");
  const rows = readFileSync(join(folder, `${name}.tagged`), "utf8").split("\n").slice(0, -1);
  for (const error of parsed.errors) {
    console.error(`${file}:${error.line}:${error.col ?? ""} ${error.message}`);
    faults += 1;
  }
  if (parsed.cues.length !== rows.length) {
    console.error(`${file}: ${parsed.cues.length} cues, not ${rows.length}`);
    faults += 1;
  }
  rows.forEach((row, at) => {
    const [is, should] = [parsed.cues[at] && read(parsed.cues[at]), wanted(row)];
    if (!isDeepStrictEqual(is, should)) {
      console.error(`${file}: cue ${at + 1}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
      faults += 1;
    }
  });
  files += 1;
  cues += parsed.cues.length;
}
if (files === 0) {
  console.error("there are no files to check");
}
console.log(`webvtt-parser: ${files} files, ${cues} cues, ${faults} faults`);
process.exit(files === 0 || faults > 0 ? 1 : 0);
