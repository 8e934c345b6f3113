package io.stillhouse.checkpoint;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads a file that contains one JSON object. */
public final class JsonFile {
  private JsonFile() {}

  /**
   * Reads the object.
   *
   * @throws io.stillhouse.error.StillhouseException if the file does not contain a JSON object
   */
  public static JsonObject read(Path file) throws IOException {
    try {
      return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw Errors.invalid(
          "'%s' is not JSON (%s)".formatted(file, e.getMessage()), "copy it again", e);
    }
  }
}
