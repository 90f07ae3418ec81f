"""Everything that a board needs of a build, in one archive: `hw.build --bundle`."""
