// Drives the testkit's server with the official JavaScript client.
//
// The address of the server, its key, and the folder with the client are in the environment; the
// arguments are a recording that the server knows, and its text.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENT_DIR}/`);
const { AssemblyAI } = require("assemblyai");
const { version } = require("./node_modules/assemblyai/package.json");

const [recording, textFile] = process.argv.slice(2);
const text = readFileSync(textFile, "utf8").trim();
const baseUrl = process.env.FAKE_URL;
const client = new AssemblyAI({ baseUrl, apiKey: process.env.FAKE_KEY });
const options = { speech_models: ["universal-2"], speaker_labels: true };
const polling = { pollingInterval: 100, pollingTimeout: 30_000 };

const uploaded = await client.files.upload(recording);
assert.match(uploaded, /^https:\/\/cdn\.assemblyai\.com\/upload\//);

const queued = await client.transcripts.submit({ ...options, audio: recording });
assert.equal(queued.status, "queued");
const done = await client.transcripts.waitUntilReady(queued.id, polling);
assert.deepEqual([done.status, done.text, done.error], ["completed", text, undefined]);
assert.equal(done.words.map((word) => word.text).join(" "), text);
assert.deepEqual(done.utterances.map((utterance) => utterance.speaker), ["A"]);
assert.ok(done.audio_duration > 0 && done.confidence > 0 && done.confidence <= 1);

const srt = await client.transcripts.subtitles(done.id, "srt", 32);
assert.match(srt, /^1\n00:00:0/);
const spoken = srt.split("\n").filter((line) => /[a-z]/i.test(line));
assert.equal(spoken.join(" "), text);
assert.ok(spoken.every((line) => line.length <= 32), srt);
assert.match(await client.transcripts.subtitles(done.id, "vtt"), /^WEBVTT\n\n00:00:0/);
const { sentences } = await client.transcripts.sentences(done.id);
assert.equal(sentences.map((sentence) => sentence.text).join(" "), text);
const { paragraphs } = await client.transcripts.paragraphs(done.id);
assert.equal(paragraphs[0].text, text);
const first = done.words[0].text.replace(/[,.]/g, "");
assert.ok((await client.transcripts.wordSearch(done.id, [first])).total_count >= 1);

const page = Buffer.from("<html>no audio</html>");
const failed = await client.transcripts.transcribe({ ...options, audio: page }, polling);
assert.equal(failed.status, "error");
assert.match(failed.error, /^File does not appear to contain audio\./);
const audio = "https://example.com/talk.mp3";
const foreign = await client.transcripts.transcribe({ ...options, audio }, polling);
assert.match(foreign.error, /^Download error, unable to download/);

const newest = await client.transcripts.list({ limit: 2 });
assert.deepEqual(newest.transcripts.map((item) => item.id), [foreign.id, failed.id]);
assert.ok(newest.transcripts.every((item) => !Number.isNaN(item.created.getTime())));
const older = await client.transcripts.list(newest.page_details.prev_url);
assert.equal(older.transcripts[0].id, done.id);
const newer = await client.transcripts.list(older.page_details.next_url);
assert.deepEqual(newer.transcripts.map((item) => item.id), [foreign.id, failed.id]);

const deleted = await client.transcripts.delete(done.id);
assert.deepEqual([deleted.id, deleted.text], [done.id, "Deleted by user."]);
const [, , again] = (await client.transcripts.list({ limit: 3 })).transcripts;
assert.equal(again.audio_url, "http://deleted_by_user");
await assert.rejects(client.transcripts.get("nobody"), /transcript id not found/);

const stranger = new AssemblyAI({ baseUrl, apiKey: "wrong" });
await assert.rejects(stranger.files.upload(recording), /Authentication error/);
await assert.rejects(stranger.transcripts.list(), /Authentication error/);
console.log(`the JavaScript client ${version} is satisfied`);
