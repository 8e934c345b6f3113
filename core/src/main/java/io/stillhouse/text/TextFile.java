package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the text files of a model: vocabularies, configs and other JSON. */
public final class TextFile {
  /** The largest tokenizer.json in use has some 30 MB. */
  private static final long MAX_BYTES = 256L << 20;

  private TextFile() {}

  /**
   * Reads a text.
   *
   * @throws io.stillhouse.error.StillhouseException if the file is too large or not UTF-8
   */
  public static String read(Path file) throws IOException {
    long bytes = Files.size(file);
    if (bytes > MAX_BYTES) {
      throw Errors.invalid(
          format(
              "'%s' has %,d bytes, but configs and vocabularies may have %,d",
              file, bytes, MAX_BYTES),
          "copy it again");
    }
    try {
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw Errors.invalid(format("'%s' is not UTF-8", file), "copy it again", e);
    }
  }

  /**
   * Reads one JSON object.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link #read}, or if the file does not
   *     contain a JSON object
   */
  public static JsonObject json(Path file) throws IOException {
    try {
      return JsonParser.parseString(read(file)).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw Errors.invalid(
          format("'%s' is not JSON (%s)", file, Errors.shortened(String.valueOf(e.getMessage()))),
          "copy it again",
          e);
    }
  }
}
