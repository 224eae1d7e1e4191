-- The registry of a repository as skyfs made it when its schema had the version 2.
BEGIN TRANSACTION;
CREATE TABLE artifact (
	id INTEGER NOT NULL, 
	store_id INTEGER NOT NULL, 
	folder_id INTEGER, 
	name TEXT, 
	extension_id INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	sha256 BLOB, 
	owned BOOLEAN NOT NULL, 
	parts BOOLEAN NOT NULL, 
	datasets INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "artifact" VALUES(1,1,NULL,NULL,2,20,1795931131824811089,X'C85E0D5FD7F64066B252706BC1AE61CE7E7C699FBA767EEA3FC8056A07E49286',1,0,1);
INSERT INTO "artifact" VALUES(2,1,NULL,NULL,2,20,1795931132412811085,X'3B66D989ED0444272EE1E09A7779C1FD33574002F62468B2E0B2C961EF44C964',1,0,1);
INSERT INTO "artifact" VALUES(3,1,NULL,NULL,4,5,1795931132456811085,X'2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824',1,0,1);
INSERT INTO "artifact" VALUES(4,1,NULL,NULL,2,16,1795931132512811084,X'250D936B54680AEB78244FFAF97706BCB9025EF64DE215E263F4A460E30F3159',1,0,1);
CREATE TABLE attachment (
	name TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "attachment" VALUES('quality','{"requires": ["instrument", "visit"], "columns": [["q", "float"]]}');
CREATE TABLE captured (
	dataset_id INTEGER NOT NULL, 
	name_id INTEGER NOT NULL, 
	number NUMERIC, 
	text TEXT, 
	PRIMARY KEY (dataset_id, name_id)
)
 WITHOUT ROWID

;
INSERT INTO "captured" VALUES(1,3,0.5,NULL);
INSERT INTO "captured" VALUES(2,3,1.5,NULL);
CREATE TABLE chain (
	parent_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	child_id INTEGER NOT NULL, 
	PRIMARY KEY (parent_id, position)
);
INSERT INTO "chain" VALUES(5,0,1);
INSERT INTO "chain" VALUES(5,1,3);
CREATE TABLE collection (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	locked BOOLEAN NOT NULL, 
	doc TEXT NOT NULL, 
	UNIQUE (name)
);
INSERT INTO "collection" VALUES(1,'u/a','RUN','root',0,'');
INSERT INTO "collection" VALUES(2,'calib/1','RUN','root',1,'');
INSERT INTO "collection" VALUES(3,'calib','CALIBRATION','',0,'');
INSERT INTO "collection" VALUES(4,'best','TAGGED','',0,'');
INSERT INTO "collection" VALUES(5,'all','CHAINED','',0,'');
CREATE TABLE dataset (
	id INTEGER NOT NULL, 
	uuid BLOB NOT NULL, 
	type_id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	created_ms BIGINT NOT NULL, 
	data_id TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (uuid)
);
INSERT INTO "dataset" VALUES(1,X'01A225D64FA57000A1E2C52682902766',1,1,1795931132390,'"Cam",1,0');
INSERT INTO "dataset" VALUES(2,X'01A225D651FA7000A90D908C1FE20F7E',1,1,1795931132432,'"Cam",1,1');
INSERT INTO "dataset" VALUES(3,X'01A225D6522E7000BAA5A8D10BF37F29',3,1,1795931132488,'');
INSERT INTO "dataset" VALUES(4,X'01A225D652647000BBE093CB2451FB28',2,2,1795931132542,'"Cam",0');
INSERT INTO "dataset" VALUES(5,X'01A225D652987000AF07547BE62FF284',1,1,1795931132568,'"Cam",2,0');
CREATE TABLE dataset_type (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	group_id INTEGER NOT NULL, 
	storage_class TEXT NOT NULL, 
	calibration BOOLEAN NOT NULL, 
	immutable BOOLEAN NOT NULL, 
	capture TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "dataset_type" VALUES(1,'metrics',1,'Dict',0,1,'[["seeing", "json:/seeing"]]');
INSERT INTO "dataset_type" VALUES(2,'flat',2,'Dict',1,1,'[]');
INSERT INTO "dataset_type" VALUES(3,'note',3,'Text',0,1,'[]');
CREATE TABLE dimension_group (
	id INTEGER NOT NULL, 
	dimensions TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (dimensions)
);
INSERT INTO "dimension_group" VALUES(1,'["instrument", "visit", "detector"]');
INSERT INTO "dimension_group" VALUES(2,'["instrument", "detector"]');
INSERT INTO "dimension_group" VALUES(3,'[]');
CREATE TABLE location (
	dataset_id INTEGER NOT NULL, 
	artifact_id INTEGER NOT NULL, 
	part INTEGER, 
	part_size BIGINT, 
	part_sha256 BLOB, 
	PRIMARY KEY (dataset_id, artifact_id)
)
 WITHOUT ROWID

;
INSERT INTO "location" VALUES(1,1,NULL,NULL,NULL);
INSERT INTO "location" VALUES(2,2,NULL,NULL,NULL);
INSERT INTO "location" VALUES(3,3,NULL,NULL,NULL);
INSERT INTO "location" VALUES(4,4,NULL,NULL,NULL);
CREATE TABLE member_1 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	instrument TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	visit BIGINT NOT NULL, 
	detector BIGINT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored, instrument, day, visit, detector)
)
 WITHOUT ROWID

;
INSERT INTO "member_1" VALUES(1,1,0,'Cam',20250101,2,0,5);
INSERT INTO "member_1" VALUES(1,1,1,'Cam',20250101,1,0,1);
INSERT INTO "member_1" VALUES(1,1,1,'Cam',20250101,1,1,2);
INSERT INTO "member_1" VALUES(1,4,1,'Cam',20250101,1,0,1);
CREATE TABLE member_2 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	instrument TEXT NOT NULL, 
	detector BIGINT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored, instrument, detector)
)
 WITHOUT ROWID

;
INSERT INTO "member_2" VALUES(2,2,1,'Cam',0,4);
CREATE TABLE member_3 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored)
)
 WITHOUT ROWID

;
INSERT INTO "member_3" VALUES(3,1,1,3);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','2');
INSERT INTO "meta" VALUES('catalogue','12');
INSERT INTO "meta" VALUES('universe','{"name": "small", "namespace": "tests", "version": 1, "path_order": ["instrument", "day", "visit", "detector"], "grouping": {"visit": ["day"]}, "elements": {"instrument": {"keys": [{"name": "name", "type": "string"}]}, "detector": {"keys": [{"name": "id", "type": "int"}, {"name": "full_name", "type": "string"}], "requires": ["instrument"]}, "day": {"keys": [{"name": "id", "type": "int"}], "requires": ["instrument"]}, "visit": {"keys": [{"name": "id", "type": "int"}], "requires": ["instrument"], "implies": ["day"], "metadata": [{"name": "exposure_time", "type": "float"}], "temporal": true}}}');
CREATE TABLE provenance (
	dataset_id INTEGER NOT NULL, 
	input BLOB NOT NULL, 
	PRIMARY KEY (dataset_id, input)
)
 WITHOUT ROWID

;
INSERT INTO "provenance" VALUES(2,X'01A225D64FA57000A1E2C52682902766');
INSERT INTO "provenance" VALUES(3,X'01A225D651FA7000A90D908C1FE20F7E');
CREATE TABLE record_day (
	instrument TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	PRIMARY KEY (instrument, day)
);
INSERT INTO "record_day" VALUES('Cam',20250101);
CREATE TABLE record_detector (
	instrument TEXT NOT NULL, 
	detector BIGINT NOT NULL, 
	full_name TEXT, 
	PRIMARY KEY (instrument, detector), 
	UNIQUE (instrument, full_name)
);
INSERT INTO "record_detector" VALUES('Cam',0,'S0');
INSERT INTO "record_detector" VALUES('Cam',1,'S1');
CREATE TABLE record_instrument (
	instrument TEXT NOT NULL, 
	PRIMARY KEY (instrument)
);
INSERT INTO "record_instrument" VALUES('Cam');
CREATE TABLE record_quality (
	instrument TEXT NOT NULL, 
	visit BIGINT NOT NULL, 
	q FLOAT, 
	PRIMARY KEY (instrument, visit)
);
INSERT INTO "record_quality" VALUES('Cam',1,0.5);
CREATE TABLE record_visit (
	instrument TEXT NOT NULL, 
	visit BIGINT NOT NULL, 
	day BIGINT NOT NULL, 
	exposure_time FLOAT, 
	timespan_begin BIGINT, 
	timespan_end BIGINT, 
	PRIMARY KEY (instrument, visit)
);
INSERT INTO "record_visit" VALUES('Cam',1,20250101,30.5,1735689600000000000,1735689660000000000);
INSERT INTO "record_visit" VALUES('Cam',2,20250101,30.5,1735689600000000000,1735689660000000000);
CREATE TABLE summary (
	collection_id INTEGER NOT NULL, 
	type_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	datasets BIGINT NOT NULL, 
	PRIMARY KEY (collection_id, type_id, stored)
)
 WITHOUT ROWID

;
INSERT INTO "summary" VALUES(1,1,0,1);
INSERT INTO "summary" VALUES(1,1,1,2);
INSERT INTO "summary" VALUES(1,3,1,1);
INSERT INTO "summary" VALUES(2,2,1,1);
INSERT INTO "summary" VALUES(3,2,1,1);
INSERT INTO "summary" VALUES(4,1,1,1);
CREATE TABLE symbol (
	id INTEGER NOT NULL, 
	text TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (text)
);
INSERT INTO "symbol" VALUES(1,'local');
INSERT INTO "symbol" VALUES(2,'.json');
INSERT INTO "symbol" VALUES(3,'seeing');
INSERT INTO "symbol" VALUES(4,'.txt');
CREATE TABLE valid_1 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	instrument TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	visit BIGINT NOT NULL, 
	detector BIGINT NOT NULL, 
	begin_ns BIGINT NOT NULL, 
	end_ns BIGINT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored, instrument, day, visit, detector, begin_ns)
)
 WITHOUT ROWID

;
CREATE TABLE valid_2 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	instrument TEXT NOT NULL, 
	detector BIGINT NOT NULL, 
	begin_ns BIGINT NOT NULL, 
	end_ns BIGINT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored, instrument, detector, begin_ns)
)
 WITHOUT ROWID

;
INSERT INTO "valid_2" VALUES(2,3,1,'Cam',0,1735689600000000000,9223372036854775807,4);
CREATE TABLE valid_3 (
	type_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	stored INTEGER NOT NULL, 
	begin_ns BIGINT NOT NULL, 
	end_ns BIGINT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	PRIMARY KEY (type_id, collection_id, stored, begin_ns)
)
 WITHOUT ROWID

;
CREATE UNIQUE INDEX artifact_parts ON artifact (folder_id, name, store_id) WHERE parts;
CREATE INDEX collection_kinds ON collection (kind);
CREATE INDEX provenance_outputs ON provenance (input);
CREATE INDEX "record visit day" ON record_visit (instrument, day, visit);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('collection',5);
COMMIT;
