package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.text.ClassNames;
import io.stillhouse.text.TextFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The values of a {@code config.json}. Methods throw a StillhouseException that names the key if a
 * value has the wrong type.
 */
public record ConfigFile(Path file, JsonObject json) {
  /** More classes than any classifier has. */
  private static final int MAX_LABELS = 1 << 20;

  /** Reads a config. */
  public static ConfigFile read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw Errors.invalid(
          format(
              "'%s' is not a Hugging Face directory: it has no %s",
              file.getParent(), file.getFileName()),
          "create one with import, or correct the path");
    }
    return new ConfigFile(file, TextFile.json(file));
  }

  /** Returns whether the config has a value other than null. */
  public boolean has(String key) {
    return json.has(key) && !json.get(key).isJsonNull();
  }

  /** Returns a value as text, or a default if the config does not have it. */
  public String text(String key, String orElse) {
    return has(key) ? primitive(key, json.get(key)).getAsString() : orElse;
  }

  boolean flag(String key) {
    return text(key, "false").equals("true");
  }

  /** Returns a whole number of at least 1. */
  public int size(String key) {
    return whole(key, number(key, null), 1, Integer.MAX_VALUE);
  }

  int size(String key, int orElse) {
    return has(key) ? size(key) : orElse;
  }

  /** Returns a whole number, which must be within bounds. */
  int whole(String key, double value, int least, int most) {
    if (value != Math.rint(value) || value < least || value > most) {
      throw wrong(key, format("a whole number from %,d to %,d", least, most), text(key, ""));
    }
    return (int) value;
  }

  double number(String key, @Nullable Double orElse) {
    if (!has(key)) {
      if (orElse == null) {
        throw Errors.invalid(format("'%s' lacks %s", file, key), "add it");
      }
      return orElse;
    }
    String text = primitive(key, json.get(key)).getAsString();
    try {
      double value = Double.parseDouble(text);
      if (Double.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // reported below
    }
    throw wrong(key, "a number", text);
  }

  /** Returns a dropout rate. */
  double rate(String key, double orElse) {
    double rate = number(key, orElse);
    if (rate < 0 || rate >= 1) {
      throw wrong(key, "at least 0 and less than 1", text(key, ""));
    }
    return rate;
  }

  /** Returns the first string of a list, or null if there is none. */
  @Nullable String first(String key) {
    if (!has(key)) {
      return null;
    }
    JsonElement list = json.get(key);
    if (!list.isJsonArray()) {
      throw wrong(key, "a list", list.toString());
    }
    return list.getAsJsonArray().isEmpty()
        ? null
        : primitive(key, list.getAsJsonArray().get(0)).getAsString();
  }

  /** Returns the names of the classes, {@code LABEL_n} for those without one. */
  List<String> labels() {
    JsonElement names = json.get("id2label");
    if (names == null || names.isJsonNull()) {
      int count = whole("num_labels", number("num_labels", 2.0), 0, MAX_LABELS);
      return IntStream.range(0, count).mapToObj(id -> "LABEL_" + id).toList();
    }
    if (!names.isJsonObject()) {
      throw Errors.invalid(
          format(
              "'%s': id2label must map ids to names, but is '%s'",
              file, Errors.shortened(names.toString())),
          "correct it");
    }
    Map<String, JsonElement> byId = names.getAsJsonObject().asMap();
    List<String> labels = new ArrayList<>();
    for (int id = 0; id < byId.size(); id++) {
      JsonElement name = byId.get(Integer.toString(id));
      if (name == null || !name.isJsonPrimitive()) {
        throw Errors.invalid(
            format(
                "'%s': id2label must name each id from 0 to %d, but names %s",
                file, byId.size() - 1, ClassNames.shown(List.copyOf(byId.keySet()))),
            "name every output of the classifier, in the order of its rows");
      }
      labels.add(name.getAsString());
    }
    return List.copyOf(labels);
  }

  private JsonPrimitive primitive(String key, JsonElement value) {
    if (!value.isJsonPrimitive()) {
      throw wrong(key, "a string or a number", value.toString());
    }
    return value.getAsJsonPrimitive();
  }

  private StillhouseException wrong(String key, String rule, String value) {
    return Errors.invalid(
        format("'%s': %s must be %s, but is '%s'", file, key, rule, Errors.shortened(value)),
        "correct it");
  }
}
