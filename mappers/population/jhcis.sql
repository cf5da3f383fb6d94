-- Tables of JHCIS (MySQL) with the columns that are known from public sources and that the population fills or the
-- import reads. Types are those of the sources where they tell them, else from memory. Not the schema of a hospital.
CREATE TABLE person (
  pcucodeperson char(5) NOT NULL, pid int NOT NULL, hcode int, prename varchar(20), fname varchar(25), lname varchar(35),
  birth date, sex char(1), idcard varchar(13), bloodgroup varchar(2), bloodrh varchar(1), marystatus varchar(1),
  educate varchar(2), occupa varchar(4), nation varchar(3), origin varchar(3), religion varchar(2),
  familyposition varchar(1), typelive varchar(1), datein date, dischargetype varchar(1), dischargedate date,
  fatherid varchar(13), motherid varchar(13), mateid varchar(13), rightcode varchar(4), rightno varchar(18),
  hosmain varchar(9), hossub varchar(9), datestart date, dateexpire date, hnomoi varchar(75), roadmoi varchar(50),
  mumoi varchar(2), subdistcodemoi varchar(2), distcodemoi varchar(2), provcodemoi varchar(2),
  telephoneperson varchar(35), dateupdate datetime, passpotnumber varchar(37), hidmoi varchar(11), housetype varchar(1),
  roomno varchar(10), condo varchar(75), soisub varchar(255), soimain varchar(255), dateupdateaddressout datetime,
  PRIMARY KEY (pcucodeperson, pid)
) ENGINE=MyISAM;
CREATE TABLE house (
  pcucode char(5) NOT NULL, hcode int NOT NULL, villcode varchar(8), hid varchar(11), hno varchar(120), road varchar(257),
  xgis varchar(55), ygis varchar(55), dateupdate datetime, PRIMARY KEY (pcucode, hcode)
) ENGINE=MyISAM;
CREATE TABLE village (
  pcucode char(5) NOT NULL, villcode varchar(8) NOT NULL, villno varchar(2), villname varchar(100), latitude varchar(20),
  longitude varchar(20), PRIMARY KEY (pcucode, villcode)
) ENGINE=MyISAM;
CREATE TABLE visit (
  pcucode char(5) NOT NULL, visitno int NOT NULL, visitdate date, pcucodeperson char(5), pid int, timeservice char(1),
  timestart time, timeend time, symptoms text, weight decimal(5,1), height decimal(5,1), pressure text,
  temperature decimal(4,1), pulse int, respri int, username varchar(20), flagservice char(2), dateupdate datetime,
  rightcode varchar(4), rightno varchar(18), hosmain varchar(9), hossub varchar(9), refer char(2), refertohos varchar(9),
  PRIMARY KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitdiag (
  pcucode char(5) NOT NULL, visitno int NOT NULL, diagcode varchar(10) NOT NULL, conti char(1), dxtype char(2),
  clinic varchar(5), appointdate date, dateupdate datetime, doctordiag varchar(20), KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitdrug (
  pcucode char(5) NOT NULL, visitno int NOT NULL, drugcode char(24) NOT NULL, unit int, dose varchar(100),
  costprice decimal(11,2), doctor1 varchar(20), clinic varchar(5), dateupdate datetime,
  PRIMARY KEY (pcucode, visitno, drugcode)
) ENGINE=MyISAM;
CREATE TABLE cdrug (
  drugcode char(24) NOT NULL PRIMARY KEY, drugname varchar(255), drugtype char(2), unitsell varchar(20)
) ENGINE=MyISAM;
CREATE TABLE cdrugunitsell (unitsellcode varchar(20) NOT NULL PRIMARY KEY, unitsellname varchar(50)) ENGINE=MyISAM;
CREATE TABLE cright (rightcode varchar(4) NOT NULL PRIMARY KEY, mapright varchar(40), rightname varchar(255)) ENGINE=MyISAM;
CREATE TABLE visitdiagappoint (
  pcucode char(5) NOT NULL, visitno int NOT NULL, appodate date, appotype varchar(3), diagcode varchar(10),
  comment varchar(255), KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitlabchcyhembmsse (
  pcucodeperson char(5), pid int, pcucode char(5) NOT NULL, visitno int NOT NULL, datecheck date, labcode varchar(10),
  labresulttext varchar(50), labresultdigit varchar(20), KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitlabsugarblood (
  pcucode char(5) NOT NULL, visitno int NOT NULL, sugarnumdigit varchar(10), foodsuspend char(1), KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitepi (
  pcucode char(5) NOT NULL, visitno int NOT NULL, vaccinecode varchar(3), dateepi date, KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE visitanc (
  pcucode char(5) NOT NULL, visitno int NOT NULL, pregno int, pregage int, ancres char(1), KEY (pcucode, visitno)
) ENGINE=MyISAM;
CREATE TABLE personchronic (
  pcucodeperson char(5) NOT NULL, pid int NOT NULL, chroniccode varchar(10), datefirstdiag date, datedxfirst date,
  dateupdate datetime, KEY (pcucodeperson, pid)
) ENGINE=MyISAM;
CREATE TABLE ncd_person_ncd_screen (
  pcucode char(5) NOT NULL, pid int NOT NULL, no int NOT NULL, screen_date date, height decimal(5,1),
  weight decimal(5,1), waist decimal(5,1), hbp_s1 int, hbp_d1 int, hbp_s2 int, hbp_d2 int, bsl int, alcohol char(1),
  smoke char(1), htfamily char(1), dateupdate datetime, visitno int, KEY (pcucode, pid)
) ENGINE=MyISAM;
CREATE TABLE f43specialpp (
  pcucodeperson varchar(6) NOT NULL, pid varchar(15) NOT NULL, ppspecial varchar(6), dateserv date, clinic varchar(5),
  provider varchar(20), spcialppcode varchar(10), visitno int, dateupdate datetime, KEY (pcucodeperson, pid)
) ENGINE=MyISAM;
CREATE TABLE user (
  username varchar(20) NOT NULL PRIMARY KEY, pcucode char(5), markdelete char(1), officertype varchar(2),
  dateupdate datetime, idcard varchar(13)
) ENGINE=MyISAM;
