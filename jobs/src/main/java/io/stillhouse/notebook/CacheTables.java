package io.stillhouse.notebook;

import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What the manifest of a cache says about its files, without reading them.
 *
 * @param teacher name of the teacher whose targets are described
 * @param dtype dtype of these targets
 */
record CacheTables(
    SparkSession spark, CachePlan plan, CacheState state, String teacher, Dtype dtype) {

  Dataset<Row> families() {
    List<Row> rows = new ArrayList<>();
    for (String name : state.allTeachers()) {
      for (Family family : Family.values()) {
        List<CacheFile> files =
            files(file -> file.teacher().equals(name) && file.family().equals(family.id()));
        if (!files.isEmpty()) {
          Set<String> columns = new LinkedHashSet<>();
          files.forEach(file -> columns.addAll(file.columns()));
          rows.add(
              RowFactory.create(
                  name,
                  family.id(),
                  files.size(),
                  files.stream().mapToLong(file -> file.size().rows()).sum(),
                  files.stream().mapToLong(file -> file.size().tokens()).sum(),
                  files.stream().mapToLong(file -> file.size().bytes()).sum(),
                  columns.toArray(String[]::new)));
        }
      }
    }
    return spark.createDataFrame(
        rows,
        new StructType()
            .add("teacher", DataTypes.StringType, false)
            .add("family", DataTypes.StringType, false)
            .add("files", DataTypes.IntegerType, false)
            .add("rows", DataTypes.LongType, false)
            .add("tokens", DataTypes.LongType, false)
            .add("bytes", DataTypes.LongType, false)
            .add("columns", DataTypes.createArrayType(DataTypes.StringType, false), false));
  }

  Dataset<Row> columns() {
    List<Row> rows = new ArrayList<>();
    for (String name : state.columns(teacher)) {
      Column column = Targets.named(name);
      long bytes = 0;
      int shards = 0;
      for (PlanPart.Shard shard : plan.shards()) {
        CacheFile file = state.find(shard.shard(), teacher, column).orElse(null);
        if (file != null) {
          shards++;
          bytes +=
              file.hashes().chunks().stream()
                  .filter(chunk -> chunk.column().equals(name))
                  .mapToLong(CacheFile.Chunk::bytes)
                  .sum();
        }
      }
      String stored = column.type().floating() ? column.dtype(dtype).id() : null;
      rows.add(RowFactory.create(name, column.family().id(), stored, shards, bytes, column.doc()));
    }
    return spark.createDataFrame(
        rows,
        new StructType()
            .add("column", DataTypes.StringType, false)
            .add("family", DataTypes.StringType, false)
            .add("dtype", DataTypes.StringType, true)
            .add("shards", DataTypes.IntegerType, false)
            .add("bytes", DataTypes.LongType, false)
            .add("doc", DataTypes.StringType, false));
  }

  Dataset<Row> shards() {
    List<Row> rows = new ArrayList<>();
    for (PlanPart.Shard shard : plan.shards()) {
      String[] columns =
          state.columns(teacher).stream()
              .filter(name -> state.has(shard.shard(), teacher, Targets.named(name)))
              .toArray(String[]::new);
      rows.add(
          RowFactory.create(
              shard.shard(),
              shard.rows(),
              shard.tokens(),
              shard.invalid(),
              state.invalid(shard.shard(), teacher).size(),
              columns,
              state.isDropped(shard.shard())));
    }
    return spark.createDataFrame(
        rows,
        new StructType()
            .add("shard", DataTypes.IntegerType, false)
            .add("rows", DataTypes.IntegerType, false)
            .add("tokens", DataTypes.LongType, false)
            .add("invalid", DataTypes.IntegerType, false)
            .add("not_finite", DataTypes.IntegerType, false)
            .add("columns", DataTypes.createArrayType(DataTypes.StringType, false), false)
            .add("dropped", DataTypes.BooleanType, false));
  }

  private List<CacheFile> files(Predicate<CacheFile> which) {
    return state.files().stream().filter(which).toList();
  }
}
