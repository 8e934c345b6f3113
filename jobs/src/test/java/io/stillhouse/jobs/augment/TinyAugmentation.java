package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;

import io.stillhouse.augment.ReplaceableWords.Stops;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.spec.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Augmentations with tiny models, and rows for them. */
final class TinyAugmentation {
  static final Augmentation.Draws FIVE_COPIES = new Augmentation.Draws(5, 42);

  private TinyAugmentation() {}

  /** Returns an augmentation by the tiny masked LM, which replaces every word. */
  static Augmentation.MaskedLm maskedLm() {
    return maskedLm(Tiny.MLM, "", Stops.REPLACED);
  }

  static Augmentation.MaskedLm maskedLm(Path model, String vectors, Stops stops) {
    return new Augmentation.MaskedLm(
        model.toString(),
        vectors,
        new Augmentation.MaskedLm.Choice(15, 1, stops),
        pass(Augmentation.MaskedLm.ModelInput.MASKED_TEXT, 40));
  }

  static Augmentation.MaskedLm.Pass pass(Augmentation.MaskedLm.ModelInput input, int maxLength) {
    return new Augmentation.MaskedLm.Pass(input, maxLength, 4096, Precision.FLOAT32, 1);
  }

  /** Returns rows of single texts with keys as in a file {@code rows.tsv}. */
  static List<SourceRow> rows(String... texts) {
    List<SourceRow> rows = new ArrayList<>();
    for (String text : texts) {
      rows.add(new SourceRow("rows.tsv:" + rows.size(), text, null, "1"));
    }
    return rows;
  }

  /** Returns the distinct texts of rows and their copies. */
  static List<String> texts(List<SourceRow> rows, List<Augmentation.Copies> copies) {
    return Stream.concat(
            rows.stream().map(SourceRow::text),
            copies.stream().flatMap(of -> of.texts().stream()).map(Augmentation.Texts::text))
        .distinct()
        .toList();
  }

  static long maskedWords(List<Augmentation.Copies> copies) {
    return copies.stream().mapToLong(Augmentation.Copies::maskedWords).sum();
  }

  /** Writes the tiny masked LM with four words that are not stop words in its vocabulary. */
  static Path withContentWords(Path model) throws IOException {
    Files.createDirectory(model);
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(Tiny.MLM.resolve(file), model.resolve(file));
    }
    String vocabulary = Files.readString(Tiny.MLM.resolve("vocab.txt"));
    List<String> words = List.of("film", "plot", "actor", "scene");
    for (int word = 0; word < words.size(); word++) {
      vocabulary = vocabulary.replace(format("[unused%d]\n", word), words.get(word) + "\n");
    }
    Files.writeString(model.resolve("vocab.txt"), vocabulary);
    return model;
  }
}
