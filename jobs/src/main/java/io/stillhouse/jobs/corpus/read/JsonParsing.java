package io.stillhouse.jobs.corpus.read;

import static io.stillhouse.error.Text.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses lines of JSON objects with Jackson. Numbers and booleans keep their notation. */
final class JsonParsing {
  static final String NOT_AN_OBJECT = "not a JSON object";

  /** Accepts what Spark accepts: single quotes and NaN. */
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(JsonReadFeature.ALLOW_SINGLE_QUOTES)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNumberLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private final Map<Role, String> keys;

  /**
   * @param keys the key of each role
   */
  JsonParsing(Map<Role, String> keys) {
    this.keys = keys;
  }

  /** Adds the keys of an object. Adds nothing if the line is not an object. */
  static void addKeys(String line, Collection<String> to) throws IOException {
    List<String> keys = new ArrayList<>();
    try (JsonParser json = FACTORY.createParser(line)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return;
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        keys.add(json.getCurrentName());
        json.nextToken();
        json.skipChildren();
      }
      keys.removeAll(to);
      to.addAll(keys);
    } catch (JsonProcessingException e) {
      // The record is broken, and counted where it is read.
    }
  }

  /** Reads one object. */
  FileRow parse(FileRow.Block block, String line) throws IOException {
    try (JsonParser json = FACTORY.createParser(line)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return FileRow.broken(block, NOT_AN_OBJECT);
      }
      Values values = new Values(json, line.contains("\\u"));
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        values.read(keys, json.getCurrentName());
      }
      if (json.nextToken() != null) {
        return FileRow.broken(block, NOT_AN_OBJECT);
      }
      return values.problem == null
          ? FileRow.of(block, values.cells())
          : FileRow.broken(block, values.problem);
    } catch (JsonProcessingException e) {
      return FileRow.broken(block, NOT_AN_OBJECT);
    }
  }

  /** The wanted values of one object. */
  private static final class Values {
    private final JsonParser json;
    private final boolean escaped;
    private final Set<Role> seen = EnumSet.noneOf(Role.class);
    private final Map<Role, FileRow.Label> values = new EnumMap<>(Role.class);
    private @Nullable String problem;

    /**
     * @param escaped whether the line contains an escaped character, which may be half a surrogate
     *     pair
     */
    Values(JsonParser json, boolean escaped) {
      this.json = json;
      this.escaped = escaped;
    }

    /** Reads the value of a key. */
    void read(Map<Role, String> keys, String key) throws IOException {
      JsonToken token = json.nextToken();
      boolean list = token == JsonToken.START_ARRAY && key.equals(keys.get(Role.LABEL));
      FileRow.Label label = list ? list() : new FileRow.Label(scalar(token), List.of());
      for (Map.Entry<Role, String> wanted : keys.entrySet()) {
        if (key.equals(wanted.getValue())) {
          add(wanted.getKey(), key, token, label);
        }
      }
      json.skipChildren(); // does nothing after a list, whose end has been read
    }

    private void add(Role role, String key, JsonToken token, FileRow.Label label) {
      if (!seen.add(role)) {
        problem = format("the key '%s' occurs twice", key);
      } else if (token == JsonToken.START_OBJECT
          || token == JsonToken.START_ARRAY && role != Role.LABEL) {
        problem =
            format(
                "the %s is %s",
                role.word(), token == JsonToken.START_ARRAY ? "a list" : "an object");
      } else if (token != JsonToken.VALUE_NULL) {
        values.put(role, label);
      }
    }

    private FileRow.Label list() throws IOException {
      List<@Nullable String> labels = new ArrayList<>();
      for (JsonToken each = json.nextToken();
          each != JsonToken.END_ARRAY;
          each = json.nextToken()) {
        if (!each.isScalarValue()) {
          problem = "the label is a list of lists or objects";
        }
        labels.add(scalar(each));
        json.skipChildren();
      }
      return new FileRow.Label(null, labels);
    }

    private @Nullable String scalar(JsonToken token) throws IOException {
      if (!token.isScalarValue() || token == JsonToken.VALUE_NULL) {
        return null;
      }
      return escaped ? Encoding.withoutLoneSurrogates(json.getText()) : json.getText();
    }

    private FileRow.Cells cells() {
      return new FileRow.Cells(
          text(Role.TEXT), text(Role.PAIR), values.get(Role.LABEL), text(Role.ID));
    }

    private @Nullable String text(Role role) {
      FileRow.Label value = values.get(role);
      return value == null ? null : value.single();
    }
  }
}
