package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads a file that contains one JSON object. */
public final class JsonFile {
  /** The largest tokenizer.json in use has some 30 MB. */
  private static final long MAX_BYTES = 256L << 20;

  private JsonFile() {}

  /**
   * Reads the object.
   *
   * @throws io.stillhouse.error.StillhouseException if the file does not contain a JSON object
   */
  public static JsonObject read(Path file) throws IOException {
    long bytes = Files.size(file);
    if (bytes > MAX_BYTES) {
      throw Errors.invalid(
          format("'%s' has %,d bytes, but JSON files may have %,d", file, bytes, MAX_BYTES),
          "copy it again");
    }
    try {
      return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    } catch (CharacterCodingException e) {
      throw Errors.invalid(format("'%s' is not UTF-8", file), "copy it again", e);
    } catch (JsonParseException | IllegalStateException e) {
      throw Errors.invalid(
          format("'%s' is not JSON (%s)", file, Errors.shortened(String.valueOf(e.getMessage()))),
          "copy it again",
          e);
    }
  }
}
