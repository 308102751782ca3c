"""Drives the testkit's server with the official Python client.

The address of the server and its key are in the environment; the arguments are a recording that
the server knows, and its text.
"""

import os
import sys
import tempfile
from pathlib import Path

import assemblyai as aai


def refusal(call):
    """What the client raises for a call that must be refused."""
    try:
        call()
    except aai.AssemblyAIError as error:
        return str(error)
    raise AssertionError("the call was not refused")


def main(recording: Path, text: str) -> None:
    aai.settings.base_url = os.environ["FAKE_URL"]
    aai.settings.api_key = os.environ["FAKE_KEY"]
    aai.settings.polling_interval = 0.1
    config = aai.TranscriptionConfig(speech_models=["universal-2"], speaker_labels=True)
    transcriber = aai.Transcriber(config=config)

    url = transcriber.upload_file(str(recording))
    assert url.startswith("https://cdn.assemblyai.com/upload/"), url

    submitted = transcriber.submit(str(recording))
    assert submitted.status == aai.TranscriptStatus.queued, submitted.status
    transcript = submitted.wait_for_completion()
    assert transcript.status == aai.TranscriptStatus.completed, transcript.error
    assert transcript.text == text, transcript.text
    assert " ".join(word.text for word in transcript.words) == text
    assert [utterance.speaker for utterance in transcript.utterances] == ["A"]
    assert transcript.audio_duration > 0 and 0 < transcript.confidence <= 1
    assert aai.Transcript.get_by_id(transcript.id).text == text

    srt = transcript.export_subtitles_srt(chars_per_caption=32)
    assert srt.startswith("1\n00:00:0"), srt
    spoken = [line for line in srt.splitlines() if any(map(str.isalpha, line))]
    assert " ".join(spoken) == text and max(map(len, spoken)) <= 32, spoken
    vtt = transcript.export_subtitles_vtt()
    assert vtt.startswith("WEBVTT\n\n00:00:0"), vtt
    assert " ".join(sentence.text for sentence in transcript.get_sentences()) == text
    assert transcript.get_paragraphs()[0].text == text
    first = transcript.words[0].text.strip(",.")
    assert transcript.word_search([first])[0].count >= 1

    with tempfile.NamedTemporaryFile(suffix=".html") as page:
        page.write(b"<html>no audio</html>")
        page.flush()
        failed = transcriber.transcribe(page.name)
    assert failed.status == aai.TranscriptStatus.error
    assert failed.error.startswith("File does not appear to contain audio."), failed.error
    foreign = transcriber.transcribe("https://example.com/talk.mp3")
    assert foreign.error.startswith("Download error, unable to download"), foreign.error

    newest = transcriber.list_transcripts(aai.ListTranscriptParameters(limit=2))
    assert [item.id for item in newest.transcripts] == [foreign.id, failed.id]
    assert newest.page_details.before_id_of_prev_url == failed.id, newest.page_details
    older = aai.ListTranscriptParameters(limit=200, before_id=failed.id)
    older = transcriber.list_transcripts(older)
    assert older.transcripts[0].id == transcript.id and older.page_details.next_url

    deleted = aai.Transcript.delete_by_id(transcript.id)
    assert deleted.text == "Deleted by user.", deleted.text
    again = transcriber.list_transcripts(aai.ListTranscriptParameters(limit=3)).transcripts[2]
    assert again.audio_url == "http://deleted_by_user", again
    assert "not found" in refusal(lambda: aai.Transcript.delete_by_id("nobody"))

    stranger = aai.Client(settings=aai.Settings(base_url=aai.settings.base_url, api_key="wrong"))
    stranger = aai.Transcriber(client=stranger, config=config)
    assert "Authentication error" in refusal(lambda: stranger.upload_file(str(recording)))
    assert "Authentication error" in refusal(lambda: stranger.list_transcripts())
    print(f"the Python client {aai.__version__} is satisfied")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8").strip())
