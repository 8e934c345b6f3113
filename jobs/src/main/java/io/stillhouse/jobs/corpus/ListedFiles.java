package io.stillhouse.jobs.corpus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.execution.datasources.FileIndex;
import org.apache.spark.sql.execution.datasources.PartitionDirectory;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * The files that Spark reads, as they were listed. Spark's own index would list them again, leave
 * out names that start with '_' or '.', and take brackets for globs.
 */
final class ListedFiles implements FileIndex {
  private final StructType columns;
  private final Map<List<@Nullable String>, List<FileStatus>> byValues = new LinkedHashMap<>();

  /**
   * @param columns the columns of strings that the names of directories define
   */
  ListedFiles(StructType columns) {
    this.columns = columns;
  }

  /** Adds a file with its values of the columns. */
  void add(FileStatus file, List<@Nullable String> values) {
    byValues.computeIfAbsent(values, first -> new ArrayList<>()).add(file);
  }

  private List<FileStatus> all() {
    return byValues.values().stream().flatMap(List::stream).toList();
  }

  @Override
  public Seq<Path> rootPaths() {
    return JavaConverters.asScalaBuffer(all().stream().map(FileStatus::getPath).toList()).toList();
  }

  @Override
  public Seq<PartitionDirectory> listFiles(
      Seq<Expression> partitionFilters, Seq<Expression> dataFilters) {
    List<PartitionDirectory> directories = new ArrayList<>();
    byValues.forEach(
        (values, files) -> {
          Object[] cells = values.stream().map(UTF8String::fromString).toArray();
          InternalRow row = new GenericInternalRow(cells);
          directories.add(PartitionDirectory.apply(row, files.toArray(FileStatus[]::new)));
        });
    return JavaConverters.asScalaBuffer(directories).toList();
  }

  @Override
  public String[] inputFiles() {
    return all().stream().map(file -> file.getPath().toString()).toArray(String[]::new);
  }

  @Override
  public void refresh() {
    // the files of a corpus are listed once
  }

  @Override
  public long sizeInBytes() {
    return all().stream().mapToLong(FileStatus::getLen).sum();
  }

  @Override
  public StructType partitionSchema() {
    return columns;
  }
}
