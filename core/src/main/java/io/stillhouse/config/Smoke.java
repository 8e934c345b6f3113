package io.stillhouse.config;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Shrinks a recipe so that it runs in seconds: {@code smoke = true}. */
public final class Smoke {
  private Smoke() {}

  /** Returns smaller settings if {@code smoke} is true, else the given ones. */
  public static Settings shrink(Settings settings) {
    if (!settings.get(Options.SMOKE)) {
      return settings;
    }
    Map<String, String> small = new TreeMap<>();
    int workers = settings.value(Options.WORKERS); // each worker takes four steps
    cap(settings, Options.CORPUS_LIMIT, 64, small);
    cap(settings, Options.MAX_STEPS, 4 * workers, small);
    cap(settings, Options.SHARD_TOKENS, 1024, small);
    cap(settings, Options.BATCH_SIZE, Math.max(1, 16 / workers), small);
    cap(settings, Options.MAX_LENGTH, 64, small);
    cap(settings, Options.AUGMENT_COPIES, 4, small);
    cap(settings, Options.HEAD_IMPORTANCE_ROWS, 32, small);
    small.put(Options.EPOCHS.key(), "1");
    Map<String, List<String>> over = new TreeMap<>(settings.value(Options.SWEEP_OVER));
    over.computeIfPresent(Options.SEED.key(), (key, seeds) -> seeds.subList(0, 1));
    small.put(Options.SWEEP_OVER.key(), SweepText.write(over));
    return settings.with(small);
  }

  private static void cap(
      Settings settings, Option<Integer> option, int largest, Map<String, String> small) {
    int value = settings.value(option);
    if (value == 0 || value > largest) {
      small.put(option.key(), Integer.toString(largest));
    }
  }
}
