/**
 * The predict command: a model applied to single texts or, as a Spark job, to a table. {@code
 * PredictJob} writes the table with additional columns. {@code InputTable} reads the table, and
 * {@code SparkFormats} has the options with which Spark writes its columns unchanged; {@code
 * AddedColumns} are the predictions. The model may have any form that {@code jobs.inference} opens.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.predict;
