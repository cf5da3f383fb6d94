-- Tables of HOSxP with the columns that are known from public sources and that the population fills or the import reads;
-- for MySQL and PostgreSQL alike. Types that the sources do not tell are from memory. Not the schema of a hospital.
CREATE TABLE patient (
  hn varchar(9) NOT NULL PRIMARY KEY, cid varchar(13), pname varchar(25), fname varchar(100), lname varchar(100),
  birthday date, sex char(1), addrpart varchar(50), moopart varchar(4), road varchar(50), tmbpart char(2),
  amppart char(2), chwpart char(2), hometel varchar(50), mobile_phone_number varchar(50), marrystatus char(1),
  occupation varchar(4), nationality char(3)
);
CREATE TABLE ovst (
  vn varchar(13) NOT NULL PRIMARY KEY, hn varchar(9), an varchar(9), vstdate date, vsttime time, doctor varchar(7),
  hospmain varchar(5), hospsub varchar(5), ovstist char(2), ovstost varchar(4), pttype char(2), pttypeno varchar(50),
  rfrilct varchar(5), rfrolct varchar(5), spclty char(2)
);
CREATE INDEX ovst_vstdate ON ovst (vstdate);
CREATE TABLE opdscreen (
  vn varchar(13) NOT NULL PRIMARY KEY, hn varchar(9), bpd double precision, bps double precision, bw double precision,
  height double precision, cc text, pulse double precision, temperature double precision, rr double precision
);
CREATE TABLE vn_stat (
  vn varchar(13) NOT NULL PRIMARY KEY, hn varchar(9), income double precision, paid_money double precision
);
CREATE TABLE ovstdiag (
  ovst_diag_id int NOT NULL PRIMARY KEY, vn varchar(13), hn varchar(9), icd10 varchar(9), diagtype char(1),
  vstdate date, vsttime time, doctor varchar(7)
);
CREATE INDEX ovstdiag_vstdate ON ovstdiag (vstdate);
CREATE TABLE opitemrece (
  hos_guid varchar(38) NOT NULL PRIMARY KEY, vn varchar(13), hn varchar(9), an varchar(9), icode varchar(7),
  qty int, unitprice double precision, vstdate date, vsttime time, doctor varchar(7), pttype char(2), income char(2),
  sum_price double precision
);
CREATE INDEX opitemrece_vstdate ON opitemrece (vstdate);
CREATE TABLE drugitems (
  icode varchar(7) NOT NULL PRIMARY KEY, name varchar(200), units varchar(50), did varchar(30), unitcost double precision
);
CREATE TABLE income (income char(2) NOT NULL PRIMARY KEY, std_group char(2));
CREATE TABLE pttype (pttype char(2) NOT NULL PRIMARY KEY, name varchar(250), pttype_nhso_code varchar(5));
CREATE TABLE doctor (code varchar(7) NOT NULL PRIMARY KEY, licenseno varchar(50), name varchar(250));
CREATE TABLE lab_head (
  lab_order_number int NOT NULL PRIMARY KEY, vn varchar(13), hn varchar(9), order_date date, order_time time
);
CREATE INDEX lab_head_order_date ON lab_head (order_date);
CREATE TABLE lab_order (lab_order_number int, lab_items_code varchar(10), lab_order_result varchar(250), confirm char(1));
CREATE INDEX lab_order_number ON lab_order (lab_order_number);
CREATE TABLE oapp (
  oapp_id int NOT NULL PRIMARY KEY, hn varchar(9), vn varchar(13), vstdate date, nextdate date, nexttime time,
  clinic char(3), doctor varchar(7), provis_aptype_code varchar(3)
);
CREATE INDEX oapp_vstdate ON oapp (vstdate);
