package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.target.Example;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowJoinTest {
  @Test
  void findsShardsOfRows() throws IOException {
    RowJoin join =
        join(
            List.of(List.of(key("a"), key("b")), List.of(key("c"))),
            List.of(List.of(key("c")), List.of(key("b")), List.of(key("a"))));

    assertThat(join.shards()).containsExactly(bits(1, 2), bits(0));
    assertThat(join.missing()).containsExactly(bits(), bits());
    assertThat(join.rows()).isEqualTo(3);
    assertThat(join.maxShards()).isEqualTo(2);
    assertThat(join.missingInWords("one", "other")).isEmpty();
  }

  @Test
  void listsRowsThatOtherCacheLacks() throws IOException {
    RowJoin join = join(List.of(List.of(key("a"), key("b"))), List.of(List.of(key("a"), key("z"))));

    assertThat(join.absent()).containsExactly("b");
    assertThat(join.missing()).containsExactly(bits(1));
    assertThat(join.missingInWords("one", "other"))
        .isEqualTo("of 2 rows of cache 'one' 1 are not in cache 'other' (b)");
  }

  @Test
  void listsRowsWithoutTargetsInOtherCache() throws IOException {
    RowJoin join = join(List.of(List.of(key("a"))), List.of(List.of(untaught("a"))));

    assertThat(join.withoutTargets()).containsExactly("a");
    assertThat(join.missing()).containsExactly(bits(0));
    assertThat(join.missingInWords("one", "other"))
        .isEqualTo("of 1 rows of cache 'one' 1 have no targets in cache 'other' (a)");
  }

  @Test
  void abbreviatesLongListOfKeys() throws IOException {
    RowJoin join =
        join(
            List.of(List.of(key("1"), key("2"), key("3"), key("4"), key("5"), key("6"))),
            List.of(List.of()));

    assertThat(join.missingInWords("one", "other")).endsWith("(1, 2, 3, 4, 5, …)");
  }

  @Test
  void rejectsDuplicateKeyInOtherCache() {
    assertThatThrownBy(
            () -> join(List.of(List.of()), List.of(List.of(key("a")), List.of(key("a")))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1 rows of cache 'other' have the same key as another row (a)")
        .hasMessageContaining("set corpus.id");
  }

  @Test
  void rejectsDuplicateKeyInFirstCache() {
    assertThatThrownBy(() -> join(List.of(List.of(key("a"), key("a"))), List.of(List.of(key("a")))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1 rows of cache 'one' have the same key as another row (a)");
  }

  @Test
  void acceptsRowThatReplacesNext() throws IOException {
    RowKey row = key("a");

    assertThat(join(List.of(List.of(row, row)), List.of(List.of(row))).rows()).isEqualTo(2);
  }

  @Test
  void rejectsDifferentTextUnderSameKey() {
    assertThatThrownBy(
            () -> join(List.of(List.of(key("a", "wine"))), List.of(List.of(key("a", "beer")))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1 rows of cache 'one' have a different text in cache 'other' (a)");
  }

  @Test
  void rejectsDifferentTokensOfSameText() {
    assertThatThrownBy(
            () ->
                join(
                    List.of(List.of(tokens("a", new byte[] {1}))),
                    List.of(List.of(tokens("a", new byte[] {2})))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "rows of cache 'one' have different token ids or masks in cache 'other'");
  }

  private static RowJoin join(List<List<RowKey>> first, List<List<RowKey>> other)
      throws IOException {
    return RowJoin.join(
        new Rows(first),
        "one",
        RowJoin.places(other.size(), other::get, "other"),
        "other",
        RowKey.With.TEXT_AND_TOKENS);
  }

  private static RowKey key(String id) {
    return key(id, "text of " + id);
  }

  private static RowKey key(String id, String text) {
    return RowKey.of(new Object[] {id, null, text, null}, false);
  }

  private static RowKey untaught(String id) {
    return RowKey.of(new Object[] {id, null, "text of " + id, null}, true);
  }

  private static RowKey tokens(String id, byte[] ids) {
    return RowKey.of(new Object[] {id, null, "text", null, ids, null}, false);
  }

  private static BitSet bits(int... set) {
    BitSet bits = new BitSet();
    for (int bit : set) {
      bits.set(bit);
    }
    return bits;
  }

  /** Rows that only have keys. */
  private record Rows(List<List<RowKey>> shards) implements KeyedRows {
    @Override
    public List<RowKey> keys(int shard, RowKey.With with) {
      return shards.get(shard);
    }

    @Override
    public List<Integer> shardRows() {
      return shards.stream().map(List::size).toList();
    }

    @Override
    public List<Example> read(int shard) {
      throw new UnsupportedOperationException();
    }
  }
}
