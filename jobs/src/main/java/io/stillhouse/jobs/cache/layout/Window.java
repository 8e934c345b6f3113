package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import java.util.List;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The rolling window of a cache that never holds all of its targets. Shards are computed in the
 * plan's order, and dropped when every student has read them.
 *
 * @param shards number of shards whose targets the cache may hold at a time
 * @param columns names of the targets of every shard, sorted; fixed, because no columns can be
 *     added to a dropped shard
 */
public record Window(int shards, List<String> columns) {
  private static final Option<Integer> KEY = Options.CACHE_WINDOW;

  public Window {
    columns = columns.stream().sorted().toList();
  }

  /**
   * Returns the window of a recipe, or null if it has none.
   *
   * @throws io.stillhouse.error.StillhouseException if its students would not read in the plan's
   *     order
   */
  public static @Nullable Window of(Settings settings, List<String> columns) {
    int shards = settings.get(KEY);
    if (shards == 0) {
      return null;
    }
    requireOrder(format("%s is %d", KEY.key(), shards), settings);
    return new Window(shards, columns);
  }

  /** Requires that a recipe's students read shards in the order in which a cache writes them. */
  static void requireOrder(String reason, Settings settings) {
    String order = settings.get(Options.ORDER);
    if (!order.equals("plan")) {
      throw Errors.invalid(
          format(
              "%s, so shards are read in the order in which they are written, but %s is '%s'",
              reason, Options.ORDER.key(), order),
          format("set %s=plan", Options.ORDER.key()));
    }
  }

  /**
   * Requires that a recipe has the window of its cache, or a larger one.
   *
   * @param recorded the cache's, or null
   * @param requested the recipe's, or null
   */
  public static void requireSame(
      Path cache, @Nullable Window recorded, @Nullable Window requested) {
    int recordedShards = recorded == null ? 0 : recorded.shards();
    int requestedShards = requested == null ? 0 : requested.shards();
    if (recorded == null && requested != null || requestedShards < recordedShards) {
      throw Errors.invalid(
          format(
              "cache '%s' was built with %s = %d, but this recipe has %d",
              cache, KEY.key(), recordedShards, requestedShards),
          recorded == null
              ? "use 0, or another cache.path"
              : format("use %d or more, or another cache.path", recordedShards));
    }
    if (recorded != null && requested != null && !recorded.columns().equals(requested.columns())) {
      throw Errors.invalid(
          format(
              "cache '%s' drops its shards, so its targets are fixed (%s), but this recipe asks for"
                  + " %s",
              cache,
              String.join(", ", recorded.columns()),
              String.join(", ", new TreeSet<>(requested.columns()))),
          "use the same targets, or another cache.path");
    }
  }
}
