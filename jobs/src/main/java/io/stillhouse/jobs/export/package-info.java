/**
 * The command {@code export}, which writes a student for other software. It needs no Spark session.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.export;
