/**
 * What people look at in notebooks, as DataFrames and pictures: the contents of a cache, and the
 * students of a run. Notes in Zeppelin and Jupyter, and Spark's shells, call these classes from
 * Scala, Java and Python; no command does. Files are found through the cache's manifest, and every
 * byte that is read is verified.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.notebook;
