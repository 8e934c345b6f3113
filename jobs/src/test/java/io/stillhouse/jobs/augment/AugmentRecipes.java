package io.stillhouse.jobs.augment;

import io.stillhouse.jobs.Tiny;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Settings of augmentations with tiny models. */
final class AugmentRecipes {
  private AugmentRecipes() {}

  static List<String> maskedLm(Path rows, Path to, String... more) {
    return with(
        List.of(
            "corpus.path=" + rows,
            "corpus.text=text",
            "corpus.label=label",
            "corpus.max-length=40",
            "augment.model=" + Tiny.MLM,
            "augment.stop-words=replaced", // its vocabulary has no other words
            "augment.copies=5",
            "augment.to=" + to),
        more);
  }

  static List<String> rules(Path rows, Path to, String... more) {
    return with(
        List.of(
            "corpus.path=" + rows,
            "corpus.text=text",
            "corpus.label=label",
            "augment.kind=rules",
            "augment.copies=3",
            "augment.to=" + to),
        more);
  }

  private static List<String> with(List<String> some, String... more) {
    List<String> all = new ArrayList<>(some);
    all.addAll(List.of(more));
    return all;
  }
}
