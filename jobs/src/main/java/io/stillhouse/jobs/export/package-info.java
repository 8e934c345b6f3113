/** The command export: writes a student for other software. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.export;
